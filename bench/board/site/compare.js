// Runs side by side: the same cell circumstances in one row, a column a run, and whether intervals meet.
// Intervals that don't meet; values without intervals: any change.
const apart = (a, b) => [a, b].every((row) => row.ci_low !== null && row.ci_high !== null) ? a.ci_low > b.ci_high || b.ci_low > a.ci_high : a.ci_low === null && b.ci_low === null && a.value !== b.value;
const comparedKey = (cell) => ["task", "label", "corpus", "split", "condition", "device", "preset", "options", "cohort_input", "seed", "chunk_ms"].map((axis) => cellText(cell, axis)).join("\u0000");

const comparedRows = (places, metrics) => {
  const by = new Map();
  for (const [column, place] of places.entries())
    for (const cell of everyCell((one) => board.cells.at.run(one) === place)) {
      const key = comparedKey(cell);
      if (!by.has(key)) by.set(key, []);
      by.get(key)[column] ??= cell;
    }
  const rows = [];
  for (const cells of by.values())
    for (const metric of metrics(cells.find((cell) => cell !== undefined))) {
      const found = places.map((_, column) => (cells[column] === undefined ? null : overallOf(cells[column], metric)));
      if (found.some(Boolean)) rows.push({ cell: cells.find((cell) => cell !== undefined), metric, found });
    }
  return rows;
};

const changeOf = ({ found }) => {
  const known = found.filter((row) => row?.value !== null && row);
  return known.length < 2 || !known[0].value ? null : known.at(-1).value / known[0].value - 1;
};
const reading = ({ found, metric }) => {
  const known = found.filter((row) => row?.value !== null && row);
  if (known.length < 2) return "only in one";
  const [a, b] = [known[0], known.at(-1)];
  if (!apart(a, b)) return "not told apart";
  const better = board.metrics[metric]?.better;
  return better === "none" ? "differs" : (b.value < a.value) === (better === "lower") ? "better" : "worse";
};

// So few runs that choosing them may stay in sight.
const FEW_RUNS = 12;
const compareView = ({ params }) => {
  const chosen = (params.runs ?? "").split(" ").filter((id) => board.runPlaces.has(id));
  const places = chosen.map((id) => board.runPlaces.get(id));
  // What is chosen now: two clicks may come before the view is drawn again.
  const toggle = (id, on) => { const now = (here().params.runs ?? "").split(" ").filter((one) => one && one !== id); choose({ runs: (on ? [...now, id] : now).join(" ") }); };
  const picker = h("fieldset", { class: "runs" }, h("legend", {}, "Runs, the first one chosen to the left"), board.runs.map((run, place) => [run, place]).reverse().map(([run, place]) =>
    h("label", {}, h("input", { type: "checkbox", id: `run-${place}`, checked: chosen.includes(run.run_id), change: (event) => toggle(run.run_id, event.target.checked) }), " ", runTitle(run), h("small", {}, ` ${run.complete ? "" : "incomplete, "}${Object.keys(run.plugins).join(", ")}`))));
  const head = [h("h1", {}, "Compare"), h("details", { open: places.length < 2 || board.runs.length <= FEW_RUNS }, h("summary", {}, `${places.length} runs chosen`), picker)];
  if (places.length < 2) return [...head, note("Choose two runs or more.")];
  const everything = params.metrics === "all";
  const rows = comparedRows(places, (cell) => { const task = board.tasks[cellText(cell, "task")]; return everything ? [...metricsOf(cellText(cell, "task"))] : task.columns; });
  const names = namesOf([...new Set(rows.map((row) => row.cell))]);
  return [
    ...head,
    h("div", { class: "filters", role: "group", "aria-label": "What is shown" }, select("metrics", "filter-metrics", [["", "those of the overview"], ["all", "all"]], params.metrics ?? "", (value) => choose({ metrics: value }))),
    tableOf({ caption: "Runs side by side", rows, sort: sortOf(params), onSort: keepSort, columns: [
      textColumn("model", "model", (row) => names.name(row.cell)), textColumn("place", "measured on", (row) => corpusText(placeName(row.cell)), { widest: 30 }), textColumn("metric", "metric", (row) => withUnit(row.metric)),
      ...places.map((place, column) => ({ ...metricColumn("value", (row) => row.found[column]), key: `run${column}`, title: runTitle(board.runs[place]), hint: board.runs[place].run_id, widest: 18, raw: (row) => ({ [board.runs[place].run_id]: row.found[column]?.value ?? null, [`${board.runs[place].run_id}_low`]: row.found[column]?.ci_low ?? null, [`${board.runs[place].run_id}_high`]: row.found[column]?.ci_high ?? null }) })),
      numberColumn("change", "first to last", changeOf, (amount) => `${amount > 0 ? "+" : ""}${(100 * amount).toFixed(1)} %`), { ...textColumn("reading", "by intervals", reading), node: (row) => chip(reading(row), `reading ${reading(row).split(" ")[0]}`) },
    ] }, "earmark-compare"),
    note("“Better” and “worse” say that the intervals of the first and the last run don’t meet, which is cautious: where both heard the same recordings, a paired comparison sees more (", h("code", {}, `earmark compare ${chosen[0]} ${chosen.at(-1)}`), ")."),
  ];
};
