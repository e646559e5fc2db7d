// Every measurement of some runs in one long table.
const LONG = ["run", "model", "corpus", "condition", "device", "scheme", "cohort", "metric"];

const longRows = async (places) => {
  const rows = [];
  const wanted = new Set(places);
  const add = (table) => { for (let at = 0; at < table.n; at++) if (wanted.has(board.cells.at.run(table.at.cell(at)))) rows.push({ table, at }); };
  add(board.overall);
  for (const page of await Promise.all(places.map(loadRun))) add(page.table);
  return rows;
};

const longText = ({ table, at }, name) => {
  const cell = table.at.cell(at);
  if (name === "run") return `${runOf(cell).suite}/${runOf(cell).run_id}`;
  if (name === "model") return cellText(cell, "label");
  return ["scheme", "cohort", "metric"].includes(name) ? table.at[name](at) : cellText(cell, name);
};

const longColumns = (names) => {
  const real = (key, title, write) => numberColumn(key, title, ({ table, at }) => table.at[key](at), write);
  const found = ({ table, at }) => table.row(at);
  return [
    ...names.map((name) => textColumn(name, name, (row) => longText(row, name), name === "run" ? { widest: 20 } : name === "metric" ? { node: (row) => [h("a", { href: numberAddress(found(row)) }, metricTitle(longText(row, name))), metricTitle(longText(row, name)) === longText(row, name) ? null : h("small", {}, longText(row, name))] } : {})),
    { ...numberColumn("value", "value", ({ table, at }) => table.at.value(at)), text: (row) => valueText(found(row)), node: (row) => numberNode(found(row)) },
    textColumn("unit", "unit", ({ table, at }) => metricUnit(table.at.metric(at))),
    real("n", "n"), real("n_speakers", "speakers"),
    textColumn("status", "status", ({ table, at }) => table.at.status(at), { node: ({ table, at }) => statusChip(table.at.status(at)) }),
    textColumn("reason", "reason", ({ table, at }) => table.at.reason(at)),
  ];
};

const exactColumns = ["ci_low", "ci_high", "ci_level", "ci_method", "numerator", "denominator", "null_q95", "detectable", "coverage", "flags"];

const numbersView = async ({ params }) => {
  const places = board.runs.map((_, place) => place).filter((place) => (params.run ? board.runs[place].run_id === params.run : params.runs === "all" || board.newest[place]));
  const all = await longRows(places);
  const words = (params.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const rows = words.length ? all.filter((row) => { const said = LONG.map((name) => longText(row, name)).join(" ").toLowerCase(); return words.every((word) => said.includes(word)); }) : all;
  const columns = longColumns(LONG);
  columns.at(-1).raw = ({ table, at }) => ({ reason: table.at.reason(at), ...Object.fromEntries(exactColumns.map((name) => [name, table.at[name](at)])) });
  return [
    h("h1", {}, "Numbers"),
    note("Every measurement, one a row, with all its fields in the downloads."),
    h("div", { class: "filters", role: "group", "aria-label": "Filters" },
      select("runs", "filter-runs", [["", "newest of each suite and seed"], ["all", "all"], ...board.runs.map((run) => [run.run_id, runTitle(run)])], params.run ?? params.runs ?? "", (value) => choose(value === "all" ? { runs: "all", run: null } : { run: value, runs: null })),
      findField(params)),
    tableOf({ columns, rows, caption: "Measurements" , sort: sortOf(params), onSort: keepSort }, "earmark-numbers"),
  ];
};
const sortOf = (params) => { const [, down, key] = (params.sort ?? "").match(/^(-?)(.*)$/s); return key ? { key, descending: Boolean(down) } : {}; };
const keepSort = (sort) => { const { view, parts, params } = here(); history.replaceState(null, "", address(view, parts, { ...params, sort: `${sort.descending ? "-" : ""}${sort.key}` })); };
