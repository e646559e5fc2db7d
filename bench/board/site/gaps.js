// Gaps between cohorts with what chance alone gives: drawn, in a table, and those of all models and schemes.
const gapFlags = (row) => Object.fromEntries((row?.flags ?? []).filter((flag) => flag.includes(":")).map((flag) => [flag.slice(0, flag.indexOf(":")), flag.slice(flag.indexOf(":") + 1)]));
const verdict = (row) => {
  if (!row || row.value === null) return row?.reason ?? "no gap";
  const judged = row.null_q95 === null ? "" : row.value > row.null_q95 ? "above chance" : "within chance";
  return [judged, row.status === "ok" ? "" : row.reason].filter(Boolean).join("; ");
};

const SVG = "http://www.w3.org/2000/svg";
const shape = (tag, attributes) => { const element = document.createElementNS(SVG, tag); for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value); return element; };
// A gap to scale: the gap and its interval over the shade of what chance alone stays under; a stroke at the detectable one.
const gapBar = (row) => {
  if (!row || row.value === null || row.null_q95 === null) return NOTHING;
  const full = 1.05 * Math.max(row.value, row.null_q95, row.detectable ?? 0, row.ci_high ?? 0, 1e-12);
  const at = (amount) => Math.min(100, Math.max(0, (100 * amount) / full)).toFixed(2);
  const svg = shape("svg", { class: "gap", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(shape("rect", { class: "null", width: at(row.null_q95), height: 14 }), shape("rect", { class: "value", y: 4, width: at(row.value), height: 6 }), shape("path", { class: "interval", d: `M${at(row.ci_low ?? row.value)} 7H${at(row.ci_high ?? row.value)}` }));
  if (row.detectable !== null) svg.append(shape("path", { class: "detectable", d: `M${at(row.detectable)} 0V14` }));
  return svg;
};

const gapColumns = (metric) => {
  const amount = (key, title) => ({ ...numberColumn(key, title, (row) => row.gap?.[key]), text: (row) => (row.gap?.[key] === null || row.gap?.[key] === undefined ? NOTHING : digits(row.gap.metric, row.gap[key], row.gap.value ?? 1)) });
  return [
    { ...textColumn("pair", "worst / best", (row) => { const { bottom, top } = gapFlags(row.gap); return bottom ? `${bottom} / ${top}` : ""; }), style: "cohorts", widest: 24 },
    { ...metricColumn(metric, (row) => row.gap), key: "gap", title: "relative gap %" },
    amount("null_q95", "chance, 95 %"), amount("detectable", "detectable"),
    { key: "drawn", title: "drawn", text: () => "", node: (row) => gapBar(row.gap), raw: () => ({}), widest: 20 },
    { ...textColumn("reading", "reading", (row) => verdict(row.gap)), style: "reading" },
  ];
};
// Gaps of cohorts that are too small stand below those that say something.
const unpublished = (row) => row.gap.status !== "ok";
const gapTable = (found, names) => tableOf({
  caption: "Gaps between cohorts", rows: found, sort: { key: "gap", descending: true }, last: unpublished,
  columns: [textColumn("model", "model", (row) => names.name(row.cell)), textColumn("scheme", "scheme", (row) => spaced(row.scheme)), ...gapColumns(found[0]?.gap?.metric ?? "gap_rel")],
}, "earmark-gaps");
const GAPS_SAID = "Bar: the gap, with its interval. Shaded: what chance alone stays under in 95 of 100 random assignments of speakers to cohorts. Dashed stroke: the smallest true gap that these speakers would show in 80 of 100 cases. A gap inside the shade is no finding.";

// --- all of them, as a table of the overview ----------------------------------------------------------------------

// By cell the schemes that it has cohorts under: those with error rates or gaps, not what else is told in parts, such as gates.
const bySchemes = (table) => {
  const found = new Map(), rates = new Set(Object.values(board.tasks).map((task) => task.headline));
  for (let at = 0; at < table.n; at++) {
    const cell = table.at.cell(at), scheme = table.at.scheme(at);
    if (scheme === "all" || !(table.at.cohort(at) === "*" || rates.has(table.at.metric(at)))) continue;
    if (!found.has(cell)) found.set(cell, new Set());
    found.get(cell).add(scheme);
  }
  return found;
};
const loadRuns = async (cells) => new Map(await Promise.all([...new Set(cells.map((cell) => board.cells.at.run(cell)))].map(async (run) => [run, await loadRun(run)])));
const schemesOf = (pages, cell) => { const { table } = pages.get(board.cells.at.run(cell)); return (table.schemes ??= bySchemes(table)).get(cell) ?? new Set(); };
// The gaps of some cells under some schemes: the one that is shown first, or whatever says why there is none.
const gapsOf = (pages, cells, wanted = () => true) => cells.flatMap((cell) => [...schemesOf(pages, cell)].filter(wanted).map((scheme) => {
  const rows = pages.get(board.cells.at.run(cell)).of(cell, scheme).filter((row) => row.cohort === "*"), { gap } = board.tasks[cellText(cell, "task")];
  return { cell, scheme, gap: rows.find((row) => row.metric === gap) ?? rows.find((row) => row.value === null) };
})).filter((row) => row.gap);

const GAP_FILTERS = { task: (row) => TASKS[cellText(row.cell, "task")], corpus: (row) => cellText(row.cell, "corpus"), condition: (row) => cellText(row.cell, "condition"), scheme: (row) => row.scheme, reading: (row) => verdict(row.gap).split(";")[0] };

const gapsOverview = async (params, tabs) => {
  const candidates = everyCell((cell) => (params.runs === "all" || isNow(cell)) && cellText(cell, "split") === "measure");
  const pages = await loadRuns(candidates);
  const devices = distinct(candidates.map((cell) => cellText(cell, "device"))), device = devices.includes(params.device) ? params.device : devices[0];
  const found = gapsOf(pages, candidates.filter((cell) => cellText(cell, "device") === device));
  const words = (params.text ?? "").toLowerCase().split(/\s+/).filter(Boolean), names = namesOf(found.map((row) => row.cell), { runs: true });
  const rows = found.filter((row) => Object.entries(GAP_FILTERS).every(([axis, read]) => !params[axis] || read(row) === params[axis]) && words.every((word) => `${names.name(row.cell)} ${Object.values(GAP_FILTERS).map((read) => read(row)).join(" ")}`.toLowerCase().includes(word)));
  const shared = Object.entries(GAP_FILTERS).filter(([axis, read]) => axis !== "reading" && (axis === "scheme" || new Set(rows.map(read)).size > 1));
  // Beside the gap whose it is and where; what else is chosen among, behind it.
  const column = ([axis, read]) => textColumn(axis, axis, (row) => (axis === "scheme" ? spaced(read(row)) : corpusText(read(row) ?? "")), { widest: 18 });
  const [before, after] = [true, false].map((close) => shared.filter(([axis]) => ["corpus", "scheme"].includes(axis) === close));
  const model = textColumn("model", "model", (row) => names.name(row.cell), { node: (row) => [modelLink(row.cell), h("small", { class: "apart", title: names.apart(row.cell) }, names.apart(row.cell))], widest: 28 });
  return [
    h("h1", {}, "Overview"), tabs,
    h("div", { class: "filters", role: "group", "aria-label": "Filters" }, devices.length ? select("device", "filter-device", devices, device, (value) => choose({ device: value })) : null,
      Object.entries(GAP_FILTERS).map(([axis, read]) => select(axis, `filter-${axis}`, [["", "all"], ...distinct(found.map(read)).map((text) => [text, corpusText(text)])], params[axis] ?? "", (value) => choose({ [axis]: value }))),
      select("runs", "filter-runs", [["", "newest of each suite and seed"], ["all", "all"]], params.runs ?? "", (value) => choose({ runs: value })), findField(params)),
    rows.length ? tableOf({ caption: `Gaps between cohorts, ${device}`, rows, sort: sortOf(params).key ? sortOf(params) : { key: "gap", descending: true }, onSort: keepSort, last: unpublished, rowClass: (row) => row.gap.status,
      columns: [model, ...before.map(column), ...gapColumns("gap_rel"), ...after.map(column)] }, "earmark-fairness") : note(found.length ? "No gap is like that." : "No run here has cohorts."),
    note(GAPS_SAID, " Cohort by cohort, with maps and repairs: ", h("a", { href: address("fairness") }, "Fairness"), "."),
  ];
};
const findField = (params) => h("label", { class: "field" }, h("span", {}, "find"), h("input", { type: "search", id: "filter-text", value: params.text ?? "", input: (event) => choose({ text: event.target.value }) }));
