// A metric over runs and commits, with the steps that asv's detection found when the page was built.
// One line: one model under the same circumstances on one machine.
const LINE = ["label", "preset", "options", "train_corpus", "steps", "labels", "cohort_input", "seed", "chunk_ms", "threads"];
const lineOf = (cell) => [placeName(cell), runOf(cell).host.id, ...LINE.map((axis) => cellText(cell, axis))].join("\u0000");
// Its name among others, with the machine where there are several.
const lineNames = (cells) => {
  const names = namesOf(cells), several = new Set(cells.map((cell) => runOf(cell).host.id)).size > 1;
  return (cell) => [names.name(cell), several ? runOf(cell).host.id : ""].filter(Boolean).join(" · ");
};

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
    for (const point of points) point.step = stepOf(point.cell, metric);
  }
  return lines;
};
const stepOf = (cell, metric) => {
  board.stepsAt ??= new Map((board.steps ?? []).map((step) => [`${step.cell} ${step.metric}`, step]));
  return board.stepsAt.get(`${cell} ${metric}`);
};
const stepLevels = (step, metric) => [`${digits(metric, step.before, step.before)} to ${digits(metric, step.after, step.before)} ${board.metrics[metric]?.unit ?? ""}`.trim(), step.expected ? "expected" : "", ...step.notes.map(clean)].filter(Boolean).join("; ");
const stepText = (step, metric) => (step ? `${step.verdict}: ${stepLevels(step, metric)}` : "");
const WORD = { worse: "status failed", better: "status ok", changed: "status" };
const stepNode = (step, metric) => (step ? [chip(step.verdict, step.expected ? "status" : WORD[step.verdict]), " ", stepLevels(step, metric)] : "");

// Notes that are about some of these points, each at a time: its own, or that of the run or commit it names.
const notesAt = (points, metric) => board.notes.flatMap((one) => {
  const near = points.filter(({ cell }) => { const run = runOf(cell); return (!one.suite || one.suite === run.suite) && (!one.plugin || one.plugin === cellText(cell, "plugin")) && (!one.run || run.run_id.startsWith(one.run)) && (!one.commit || run.git_sha?.startsWith(one.commit)); });
  if (!near.length || (one.metric && one.metric !== metric)) return [];
  return [{ at: one.at ?? near[0].at, text: clean(one.note), about: [one.suite, one.plugin, one.run, one.commit].filter(Boolean).join(" ") }];
});

const historyFigure = (lines, metric, notes) => {
  const all = [...lines.values()], name = lineNames(all.map(([first]) => first.cell));
  const values = all.flatMap((points) => points.map(({ cell, row, at, step }) => ({ at, ...ends(row, "y"), label: clean(name(points[0].cell)).slice(0, 160), step: step?.verdict ?? "", told: stepText(step, metric), said: `${valueText(row)} ${intervalText(row)}`, run: runOf(cell).run_id, commit: runOf(cell).git_sha ?? "unknown", href: numberAddress(row) })));
  const x = { field: "at", type: "temporal", title: "started (UTC)", scale: { type: "utc" } }, color = nominal("label", { legend: { columns: 2, labelLimit: 400 } });
  return figure(`${withUnit(metric)} over runs; the numbers are in the table below`, {
    height: 320, data: { values }, layer: [
      { mark: { type: "line", opacity: 0.6 }, encoding: { x, y: quantity("y", withUnitIn(metric), { scale: { zero: false } }), color } },
      { mark: { type: "rule", strokeWidth: 2, opacity: 0.6 }, encoding: { x, y: quantity("y_low"), y2: { field: "y_high" }, color } },
      { mark: { type: "point", filled: true, size: 70, cursor: "pointer", opacity: 1 }, encoding: { x, y: quantity("y"), color, shape: { field: "step", type: "nominal", legend: null, scale: { domain: ["", "worse", "better", "changed"], range: ["circle", "triangle-down", "triangle-up", "diamond"] } }, size: { condition: { test: "datum.step != ''", value: 180 }, value: 60 }, tooltip: ["label", "said", "run", "commit", "told"].map((field) => ({ field, type: "nominal" })) } },
      ...(notes.length ? [{ data: { values: notes }, mark: { type: "rule", strokeDash: [4, 3], color: INK, opacity: 0.6 }, encoding: { x, tooltip: [{ field: "text" }, { field: "about" }] } },
        { data: { values: notes.map((one) => ({ ...one, text: one.text.slice(0, 60) })) }, mark: { type: "text", align: "left", dx: 4, baseline: "top", fontSize: 11, color: INK }, encoding: { x, y: { value: 2 }, text: nominal("text") } }] : []),
    ],
  }, STEPS_SAID());
};
const STEPS_SAID = () => [board.steps === null ? "Steps are not marked: the page was built without asv. " : "A triangle marks a run with which the level changed, downwards where it became worse, by asv’s detection of steps over the runs of one model on one machine. ", "Dashed lines are notes."];

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
  const notes = notesAt(points, metric), name = lineNames(cells);
  return [
    h("h1", {}, "History"),
    h("nav", { class: "tabs", "aria-label": "Tasks" }, tasks.map((one) => h("a", { href: address("history", [one]), "aria-current": one === task ? "page" : null }, TASKS[one]))),
    h("div", { class: "filters", role: "group", "aria-label": "What is shown" }, select("metric", "filter-metric", known.map((one) => [one, withUnit(one)]), metric, (value) => choose({ metric: value })), select("measured on", "filter-place", placeChoices(places), place, (value) => choose({ place: value, model: null })), select("model", "filter-model", [["", "all"], ...models], model, (value) => choose({ model: value }))),
    points.length ? figureOrMany(lines, metric, notes) : note("No run has this."),
    notes.length ? section("Notes", h("ul", {}, notes.map((one) => h("li", {}, h("time", {}, one.at.slice(0, 16).replace("T", " ")), " ", one.text, one.about ? h("small", {}, ` (${one.about})`) : null)))) : null,
    tableOf({ caption: `${withUnit(metric)} over runs`, rows: points, sort: sortOf(params).key ? sortOf(params) : { key: "started", descending: true }, onSort: keepSort, columns: [
      textColumn("started", "started (UTC)", (row) => row.at.slice(0, 19).replace("T", " ")), textColumn("suite", "run", (row) => `${runOf(row.cell).suite}/${runOf(row.cell).run_id}`, { node: (row) => h("a", { href: address("run", [runOf(row.cell).run_id]) }, runOf(row.cell).suite) }), textColumn("commit", "commit", (row) => (runOf(row.cell).git_sha ?? "").slice(0, 7)),
      textColumn("model", "model", (row) => name(row.cell)), metricColumn(metric, (row) => row.row), textColumn("step", "step", (row) => stepText(row.step, metric), { node: (row) => stepNode(row.step, metric), widest: 60 }),
    ] }, "earmark-history"),
  ];
};
const figureOrMany = (lines, metric, notes) => (lines.size > 12 ? [note(`${lines.size} models: the drawing has the 12 with most runs; choose one above.`), historyFigure(new Map([...lines].sort((a, b) => b[1].length - a[1].length).slice(0, 12)), metric, notes)] : historyFigure(lines, metric, notes));
