// One table a task. A device is always chosen: CPU and GPU never share a column.
const FILTERS = ["corpus", "condition", "preset", "status"];
// Splits that models were trained or chosen on are shown when asked for.
const splitOf = (rows, params) => { const known = distinct(rows.map((row) => (row.reported ? null : cellText(row.cell, "split")))); return params.split === "all" ? "" : known.includes(params.split) ? params.split : known.includes("measure") ? "measure" : ""; };

const overviewRows = (task, params) => {
  const cells = everyCell((cell) => cellText(cell, "task") === task && (params.runs === "all" || (params.run ? runOf(cell).run_id === params.run : isNow(cell))));
  const reported = board.reported.filter((row) => row.task === task).map((row) => ({ reported: row }));
  return [...cells.map((cell) => ({ cell })), ...(params.run ? [] : reported)];
};
const textOf = (row, axis) => (row.reported ? { corpus: row.reported.corpus, condition: row.reported.condition, status: "reported", label: row.reported.plugin, suite: row.reported.source }[axis] ?? ""
  : axis === "suite" ? runOf(row.cell).suite : cellText(row.cell, axis));
const shownText = (row, axis) => corpusText(textOf(row, axis));

const keptRows = (rows, params, device) => {
  const split = splitOf(rows, params);
  const words = (params.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (!row.reported && (cellText(row.cell, "device") !== device || (split && cellText(row.cell, "split") !== split))) return false;
    if (row.reported && params.reported === "no") return false;
    if (FILTERS.some((axis) => params[axis] && textOf(row, axis) !== params[axis])) return false;
    if (!words.length) return true;
    const said = ["label", "suite", "corpus", "condition", "preset", "options", "status"].map((axis) => textOf(row, axis)).join(" ").toLowerCase();
    return words.every((word) => said.includes(word));
  });
};

const reportedValue = (row, metric) => {
  const figure = row.reported.figures[metric];
  return figure === undefined ? null : { metric, value: figure, status: "ok", ci_low: null, ci_high: null };
};
const rowColumn = (metric) => {
  const inner = metricColumn(metric, (row) => (row.reported ? reportedValue(row, metric) : overallOf(row.cell, metric)));
  return { ...inner, node: (row) => (row.reported ? valueText(reportedValue(row, metric)) : numberNode(overallOf(row.cell, metric))) };
};

const overviewColumns = (rows, metrics) => {
  const cells = rows.filter((row) => !row.reported).map((row) => row.cell);
  const names = namesOf(cells, { runs: true }), apart = (row) => names.apart(row.cell);
  const plain = (axis, title) => textColumn(axis, title ?? axisTitle(axis), (row) => shownText(row, axis));
  const model = {
    ...plain("label", "model"), widest: 34,
    text: (row) => (row.reported ? `${row.reported.plugin}: ${row.reported.variant}` : [textOf(row, "label"), apart(row)].filter(Boolean).join(" · ")),
    read: (row) => (row.reported ? textOf(row, "label") : [textOf(row, "label"), apart(row)].join(" ")),
    node: (row) => (row.reported ? h("span", { title: row.reported.source }, row.reported.variant, " ", chip("reported", "reported", row.reported.source)) : [modelLink(row.cell), apart(row) ? h("small", { class: "apart", title: apart(row) }, apart(row)) : null]),
  };
  const shared = ["corpus", "condition"].filter((axis) => new Set(rows.map((row) => textOf(row, axis))).size > 1);
  const seeds = varying(cells).map((axis) => ({ ...plain(axis), read: (row) => (row.reported ? null : board.cells.at[axis](row.cell) ?? null), number: ["seed", "steps", "chunk_ms", "passes", "threads"].includes(axis), widest: 22, style: axis === "options" ? "options" : null }));
  const suite = new Set(cells.map((cell) => cellText(cell, "run"))).size > 1 || rows.some((row) => row.reported)
    ? [{ ...plain("suite", "suite or source"), style: "source", node: (row) => (row.reported ? h("small", {}, row.reported.source) : h("a", { href: address("run", [runOf(row.cell).run_id]) }, runOf(row.cell).suite)), widest: 26 }] : [];
  const heard = rows.some((row) => !row.reported && heardText(row.cell)) ? [textColumn("heard", "heard", (row) => (row.reported ? "" : heardText(row.cell)), { style: "heard" })] : [];
  const places = [...shared.map((axis) => ({ ...plain(axis), widest: 24, ...(axis === "corpus" ? { node: (row) => corpusNode(textOf(row, axis)) } : {}) })), ...heard];
  return [model, ...(NARROW.matches ? [...metrics.map(rowColumn), ...places] : [...places, ...metrics.map(rowColumn)]), ...seeds, ...suite, statusColumn()];
};

const statusColumn = () => ({
  key: "status", title: "status", widest: 40, style: "remarks", read: (row) => textOf(row, "status"),
  text: (row) => (row.reported ? `reported: ${row.reported.source}` : [cellText(row.cell, "status"), cellText(row.cell, "reason"), ...board.cells.at.flags(row.cell)].filter(Boolean).join(" ")),
  node: (row) => (row.reported ? chip("reported", "reported", row.reported.source) : [statusChip(cellText(row.cell, "status")), " ", h("span", { class: "reason", title: cellText(row.cell, "reason") }, cellText(row.cell, "reason")), ...board.cells.at.flags(row.cell).map((flag) => chip(spaced(flag), "flag", flag))]),
});

const metricsOf = (task) => {
  const found = new Set();
  for (let row = 0; row < board.overall.n; row++) if (cellText(board.overall.at.cell(row), "task") === task) found.add(board.overall.at.metric(row));
  return found;
};

const columnPicker = (task, known, shown, params) => {
  const listed = [...board.tasks[task].columns.filter((metric) => known.has(metric)), ...distinct([...known]).filter((metric) => !board.tasks[task].columns.includes(metric))];
  const toggle = (metric, on) => choose({ columns: listed.filter((one) => (one === metric ? on : shown.includes(one))).join(" ") || "none" });
  return h("details", { class: "picker", open: params.picking === "yes", toggle: (event) => { if (event.target.open !== (params.picking === "yes")) choose({ picking: event.target.open ? "yes" : null }); } },
    h("summary", { id: "columns" }, `Columns (${shown.length} of ${listed.length})`),
    h("fieldset", {}, h("legend", { class: "unseen" }, "Columns"), listed.map((metric) =>
      h("label", {}, h("input", { type: "checkbox", id: `column-${metric}`, checked: shown.includes(metric), change: (event) => toggle(metric, event.target.checked) }), " ", withUnit(metric), metricTitle(metric) === metric ? null : h("small", {}, ` ${metric}`)))));
};

const bestFirst = (metric) => `${board.metrics[metric]?.better === "higher" ? "-" : ""}${metric}`;

// Pairs of rows on the screen whose order another rule turns round.
const rulesSaid = (rows) => {
  const cells = new Set(rows.map((row) => row.cell));
  const found = board.flips.filter((flip) => flip.cells.every((cell) => cells.has(cell)));
  if (!found.length) return [];
  return [h("details", { class: "rules" }, h("summary", {}, chip("rule", "status insufficient"), ` ${found.length === 1 ? "One ranking hangs" : `${found.length} rankings hang`} on the rule by which errors are counted`),
    note("The same errors, pooled over speakers or utterances instead of words, compared as texts stand, or with another rule of the EER, put these pairs in the other order:"), h("ul", {}, found.slice(0, 50).map((flip) => h("li", {}, clean(flip.text)))), found.length > 50 ? note(`… and ${found.length - 50} more.`) : null)];
};

const taskTabs = (present, task) => h("nav", { class: "tabs", "aria-label": "Tasks" }, [...present.map((one) => [one, TASKS[one]]), ["fairness", "Fairness"]].map(([one, title]) => h("a", { href: address("overview", [one]), "aria-current": one === task ? "page" : null }, title)));

const overview = ({ parts, params }) => {
  const present = Object.keys(TASKS).filter((task) => everyCell((cell) => cellText(cell, "task") === task).length || board.reported.some((row) => row.task === task));
  if (parts[0] === "fairness") return gapsOverview(params, taskTabs(present, "fairness"));
  const task = present.includes(parts[0]) ? parts[0] : present[0];
  const all = overviewRows(task, params);
  const cells = all.filter((row) => !row.reported).map((row) => row.cell);
  const devices = distinct(cells.map((cell) => cellText(cell, "device")));
  const splits = distinct(cells.map((cell) => cellText(cell, "split")));
  const device = devices.includes(params.device) ? params.device : devices[0];
  const rows = keptRows(all, params, device);
  const known = new Set([...metricsOf(task), ...board.reported.filter((row) => row.task === task).flatMap((row) => Object.keys(row.figures))]);
  const used = board.tasks[task].columns.filter((metric) => known.has(metric));
  const shown = params.columns ? params.columns.split(" ").filter((metric) => known.has(metric)) : used;
  const [, down, key] = (params.sort ?? bestFirst(board.tasks[task].headline)).match(/^(-?)(.*)$/s);
  const filter = (axis) => select(axis, `filter-${axis}`, [["", "all"], ...distinct(all.map((row) => textOf(row, axis))).map((text) => [text, corpusText(text)])], params[axis] ?? "", (value) => choose({ [axis]: value }));
  const grid = tableOf({
    columns: overviewColumns(rows, shown), rows, caption: `${TASKS[task]}, ${device ?? "no device"}`, sort: { key, descending: Boolean(down) },
    onSort: (sort) => history.replaceState(null, "", address("overview", [task], { ...params, sort: `${sort.descending ? "-" : ""}${sort.key}` })),
    last: (row) => Boolean(row.reported), rowClass: (row) => (row.reported ? "reported" : cellText(row.cell, "status")),
  }, `earmark-${task}`);
  return [
    h("h1", {}, "Overview"),
    taskTabs(present, task),
    h("div", { class: "filters", role: "group", "aria-label": "Filters" },
      devices.length ? select("device", "filter-device", devices, device, (value) => choose({ device: value })) : null,
      FILTERS.map(filter),
      splits.length > 1 ? select("split", "filter-split", [["all", "all"], ...splits], splitOf(all, params) || "all", (value) => choose({ split: value })) : null,
      select("runs", "filter-runs", [["", "newest of each suite and seed"], ["all", "all"], ...board.runs.filter((_, place) => cells.some((cell) => cellText(cell, "run") === String(place)) || params.run).map((run) => [run.run_id, runTitle(run)])], params.run ?? (params.runs === "all" ? "all" : ""),
        (value) => choose(value === "all" ? { runs: "all", run: null } : { run: value, runs: null })),
      findField(params),
      h("label", { class: "field check" }, h("input", { type: "checkbox", id: "filter-reported", checked: params.reported !== "no", change: (event) => choose({ reported: event.target.checked ? null : "no" }) }), h("span", {}, "published figures"))),
    columnPicker(task, known, shown, params),
    grid,
    ...rulesSaid(rows),
    ...board.unread.map(([run, why]) => note(h("b", {}, "Left out: "), `${run}, which can’t be read: ${why}`)),
    note("Every number leads to its interval, machine and command, and from there to the utterances. ", chip("best", "best"), " is the best of the cells that may be compared: they heard the same recordings under the same condition on the same kind of device, for timings on the same machine. ", chip("≈ best", "tied"), " can’t be told from it at 5 %, after Holm’s correction: error rates paired by speaker, others by their intervals. ", chip("reported", "reported"), " figures stand in papers, were measured on other data and machines, and compete with nothing here."),
  ];
};
