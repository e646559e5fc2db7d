// A metric over runs and commits. A step is where two runs in a row have intervals that don't meet.
const lineOf = (cell) => [placeName(cell), runOf(cell).host.id, cellName(cell, ["preset", "options", "train_corpus", "steps", "labels", "cohort_input", "seed", "chunk_ms", "threads"])].join(" · ");

const historyLines = (cells, metric) => {
  const lines = new Map();
  for (const cell of cells) {
    const row = overallOf(cell, metric);
    if (!row || row.value === null) continue;
    const name = lineOf(cell);
    if (!lines.has(name)) lines.set(name, []);
    lines.get(name).push({ cell, row, at: runOf(cell).started_at });
  }
  for (const points of lines.values()) {
    points.sort((a, b) => a.at.localeCompare(b.at));
    points.forEach((point, place) => { const before = points[place - 1]?.row; point.step = before && apart(before, point.row) ? (point.row.value > before.value ? "up" : "down") : ""; });
  }
  return lines;
};
const apart = (a, b) => [a, b].every((row) => row.ci_low !== null && row.ci_high !== null) ? a.ci_low > b.ci_high || b.ci_low > a.ci_high : a.ci_low === null && b.ci_low === null && a.value !== b.value;

// Notes that are about some of these points, each at a time: its own, or that of the run or commit it names.
const notesAt = (points, metric) => board.notes.flatMap((one) => {
  const near = points.filter(({ cell }) => { const run = runOf(cell); return (!one.suite || one.suite === run.suite) && (!one.plugin || one.plugin === cellText(cell, "plugin")) && (!one.run || one.run === run.run_id) && (!one.commit || run.git_sha?.startsWith(one.commit)); });
  if (!near.length || (one.metric && one.metric !== metric)) return [];
  return [{ at: one.at ?? near[0].at, text: clean(one.text), about: [one.suite, one.plugin, one.run, one.commit].filter(Boolean).join(" ") }];
});

const historyFigure = (lines, metric, notes) => {
  const names = [...lines.keys()];
  const prefix = names.length > 1 ? sharedPrefix(names) : 0;
  const values = names.flatMap((name) => lines.get(name).map(({ cell, row, at, step }) => ({ at, ...ends(row, "y"), label: clean(names.length > 1 ? name.slice(prefix) || name : name).slice(0, 80), step, said: `${valueText(row)} ${intervalText(row)}`, run: runOf(cell).run_id, commit: runOf(cell).git_sha ?? "unknown", href: numberAddress(row) })));
  const x = { field: "at", type: "temporal", title: "started (UTC)", scale: { type: "utc" } }, color = nominal("label", { legend: { columns: 1, labelLimit: 600 } });
  return figure(`${withUnit(metric)} over runs; the numbers are in the table below`, {
    height: 320, data: { values }, layer: [
      { mark: { type: "line", opacity: 0.6 }, encoding: { x, y: quantity("y", withUnitIn(metric), { scale: { zero: false } }), color } },
      { mark: { type: "rule", strokeWidth: 2, opacity: 0.6 }, encoding: { x, y: quantity("y_low"), y2: { field: "y_high" }, color } },
      { mark: { type: "point", filled: true, size: 70, cursor: "pointer", opacity: 1 }, encoding: { x, y: quantity("y"), color, shape: { field: "step", type: "nominal", legend: null, scale: { domain: ["", "up", "down"], range: ["circle", "triangle-up", "triangle-down"] } }, size: { condition: { test: "datum.step != ''", value: 180 }, value: 60 }, tooltip: ["label", "said", "run", "commit", "step"].map((field) => ({ field, type: "nominal" })) } },
      ...(notes.length ? [{ data: { values: notes }, mark: { type: "rule", strokeDash: [4, 3], color: INK, opacity: 0.6 }, encoding: { x, tooltip: [{ field: "text" }, { field: "about" }] } },
        { data: { values: notes.map((one) => ({ ...one, text: one.text.slice(0, 60) })) }, mark: { type: "text", align: "left", dx: 4, baseline: "top", fontSize: 11, color: INK }, encoding: { x, y: { value: 2 }, text: nominal("text") } }] : []),
    ],
  }, "Triangles mark steps: runs whose intervals don’t meet those of the run before (values without interval: any change). Dashed lines are notes.");
};
const sharedPrefix = (names) => { let at = 0; while (names.every((name) => name[at] !== undefined && name[at] === names[0][at])) at++; return names[0].lastIndexOf("· ", at) + 2 > 1 ? names[0].lastIndexOf("· ", at) + 2 : 0; };

const historyView = ({ parts, params }) => {
  const tasks = Object.keys(TASKS).filter((task) => everyCell((cell) => cellText(cell, "task") === task).length);
  const task = tasks.includes(parts[0]) ? parts[0] : tasks[0];
  const all = everyCell((cell) => cellText(cell, "task") === task);
  const known = distinct([...metricsOf(task)]);
  const metric = known.includes(params.metric) ? params.metric : board.tasks[task].headline;
  const places = distinct(all.map(placeName)), place = places.includes(params.place) ? params.place : mostOf(measured(all).map(placeName));
  const models = distinct(all.filter((cell) => placeName(cell) === place).map((cell) => cellText(cell, "label"))), model = models.includes(params.model) ? params.model : "";
  const cells = all.filter((cell) => placeName(cell) === place && (!model || cellText(cell, "label") === model));
  const lines = historyLines(cells, metric), points = [...lines.values()].flat();
  const notes = notesAt(points, metric);
  return [
    h("h1", {}, "History"),
    h("nav", { class: "tabs", "aria-label": "Tasks" }, tasks.map((one) => h("a", { href: address("history", [one]), "aria-current": one === task ? "page" : null }, TASKS[one]))),
    h("div", { class: "filters", role: "group", "aria-label": "What is shown" }, select("metric", "filter-metric", known.map((one) => [one, withUnit(one)]), metric, (value) => choose({ metric: value })), select("measured on", "filter-place", places, place, (value) => choose({ place: value, model: null })), select("model", "filter-model", [["", "all"], ...models], model, (value) => choose({ model: value }))),
    points.length ? figureOrMany(lines, metric, notes) : note("No run has this."),
    notes.length ? section("Notes", h("ul", {}, notes.map((one) => h("li", {}, h("time", {}, one.at.slice(0, 16).replace("T", " ")), " ", one.text, one.about ? h("small", {}, ` (${one.about})`) : null)))) : null,
    tableOf({ caption: `${withUnit(metric)} over runs`, rows: points, sort: sortOf(params).key ? sortOf(params) : { key: "started", descending: true }, onSort: keepSort, columns: [
      textColumn("started", "started (UTC)", (row) => row.at.slice(0, 19).replace("T", " ")), textColumn("suite", "run", (row) => `${runOf(row.cell).suite}/${runOf(row.cell).run_id}`, { node: (row) => h("a", { href: address("run", [runOf(row.cell).run_id]) }, runOf(row.cell).suite) }), textColumn("commit", "commit", (row) => (runOf(row.cell).git_sha ?? "").slice(0, 7)),
      textColumn("model", "model", (row) => cellName(row.cell, varying(cells))), metricColumn(metric, (row) => row.row), textColumn("step", "step", (row) => row.step),
    ] }, "earmark-history"),
  ];
};
const figureOrMany = (lines, metric, notes) => (lines.size > 12 ? [note(`${lines.size} models: the drawing has the 12 with most runs; choose one above.`), historyFigure(new Map([...lines].sort((a, b) => b[1].length - a[1].length).slice(0, 12)), metric, notes)] : historyFigure(lines, metric, notes));
