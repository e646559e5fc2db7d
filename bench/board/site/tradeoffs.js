// Two metrics against each other, with intervals, and which cells nothing beats on both.
const COSTS = ["upl_final_p50", "rtf_streaming", "rtf_offline", "finder_false_alarms"];

// Places of the points that no other point beats on both axes; `signs` are -1 where more is better.
const frontier = (points, signs) =>
  points.filter((one) => !points.some((other) => other !== one && signs[0] * other.x <= signs[0] * one.x && signs[1] * other.y <= signs[1] * one.y && (other.x !== one.x || other.y !== one.y)));

const tradeoffPoints = (cells, x, y, gaps) => cells.map((cell) => {
  const find = (metric) => gaps?.get(`${cell} ${metric}`) ?? overallOf(cell, metric);
  const [a, b] = [find(x), find(y)];
  if (!a || !b || a.value === null || b.value === null) return null;
  return { cell, rows: [a, b], ...ends(a, "x"), ...ends(b, "y") };
}).filter(Boolean);

// The worst gap over schemes, where an axis is one of gaps.
const gapRows = async (cells, metrics) => {
  const wanted = metrics.filter((metric) => metric.includes("gap"));
  if (!wanted.length) return null;
  const found = new Map();
  for (const place of new Set(cells.map((cell) => board.cells.at.run(cell)))) {
    const { table } = await loadRun(place);
    for (let at = 0; at < table.n; at++) {
      const metric = table.at.metric(at), key = `${table.at.cell(at)} ${metric}`;
      if (!wanted.includes(metric) || table.at.cohort(at) !== "*" || table.at.value(at) === null) continue;
      if (!found.has(key) || found.get(key).value < table.at.value(at)) found.set(key, table.row(at));
    }
  }
  return found;
};

// Amounts so far apart that a linear axis would crowd the small ones.
const spread = (values) => Math.min(...values) > 0 && Math.max(...values) > 5 * Math.min(...values);
// An interval that reaches down to zero ends at the edge of a logarithmic axis.
const clipped = (points, axis) => {
  const values = points.map((point) => point[axis]), least = Math.min(...values) / 2;
  if (spread(values)) for (const point of points) point[`${axis}_low`] = Math.max(point[`${axis}_low`], least);
};

const tradeoffSpec = (points, [x, y]) => {
  const scale = (axis, metric) => {
    const values = points.map((point) => point[axis]);
    return quantity(axis, withUnitIn(metric), { scale: { ...(spread(values) ? { type: "log", nice: false } : { type: "linear", zero: false, nice: true }), padding: 24 } });
  };
  const color = nominal("kind", { scale: { range: PALETTE }, legend: new Set(points.map((point) => point.kind)).size > 1 ? { columns: 3 } : null });
  const shared = { x: scale("x", x), y: scale("y", y), color };
  const tooltip = ["model", "options", "x value", "y value", "where", "run", "commit", "machine", "command"].map((field) => ({ field, type: "nominal" }));
  return {
    height: 380, data: { values: points },
    layer: [
      { transform: [{ filter: "datum.edge" }], mark: { type: "line", interpolate: "step-after", strokeDash: [4, 3], opacity: 0.6, color: INK }, encoding: { x: shared.x, y: shared.y, order: { field: "x" } } },
      { mark: { type: "rule", opacity: 0.6 }, encoding: { ...shared, y: quantity("y_low"), y2: { field: "y_high" } } },
      { mark: { type: "rule", opacity: 0.6 }, encoding: { ...shared, x: quantity("x_low"), x2: { field: "x_high" } } },
      { mark: { type: "point", filled: true, size: 90, opacity: 1, cursor: "pointer" }, encoding: { ...shared, tooltip, shape: { condition: { test: "datum.edge", value: "diamond" }, value: "circle" } } },
    ],
  };
};
const withUnitIn = (metric) => `${metricTitle(metric)}${metricUnit(metric) ? ` (${metricUnit(metric)})` : ""}`;

const tradeoffs = async ({ parts, params }) => {
  const tasks = Object.keys(TASKS).filter((task) => everyCell((cell) => isNow(cell) && cellText(cell, "task") === task).length);
  const task = tasks.includes(parts[0]) ? parts[0] : tasks[0];
  const cells = everyCell((cell) => isNow(cell) && cellText(cell, "task") === task && cellText(cell, "status") === "ok");
  const places = distinct(cells.map(placeName));
  const place = places.includes(params.place) ? params.place : mostOf(measured(cells).map(placeName));
  const mine = cells.filter((cell) => placeName(cell) === place);
  const known = [...new Set([...metricsOf(task)].filter((metric) => mine.some((cell) => overallOf(cell, metric)?.value !== null && overallOf(cell, metric)))), ...Object.keys(board.metrics).filter((metric) => /gap_(abs|rel)$/.test(metric))];
  const y = known.includes(params.y) ? params.y : board.tasks[task].headline;
  const x = known.includes(params.x) ? params.x : COSTS.find((metric) => known.includes(metric)) ?? known[0];
  const points = tradeoffPoints(mine, x, y, await gapRows(mine, [x, y]));
  const names = namesOf(mine, { runs: true });
  const edge = new Set(frontier(points, [x, y].map((metric) => (board.metrics[metric]?.better === "higher" ? -1 : 1))));
  for (const point of points) {
    const run = runOf(point.cell), [a, b] = point.rows;
    Object.assign(point, {
      kind: clean(cellText(point.cell, "label")), edge: edge.has(point), href: numberAddress(b), model: clean(names.name(point.cell)), options: cellText(point.cell, "options"), where: placeName(point.cell), run: `${run.suite}/${run.run_id}`, commit: run.git_sha ?? "unknown", machine: machineText(run), command: run.command.join(" "),
      "x value": `${withUnit(x)} ${valueText(a)} ${intervalText(a)}`, "y value": `${withUnit(y)} ${valueText(b)} ${intervalText(b)}`,
    });
  }
  const axisChoice = (name, chosen) => select(`${name} axis`, `axis-${name}`, distinct(known).map((metric) => [metric, withUnit(metric)]), chosen, (value) => choose({ [name]: value }));
  for (const axis of ["x", "y"]) clipped(points, axis);
  return [
    h("h1", {}, "Trade-offs"),
    h("nav", { class: "tabs", "aria-label": "Tasks" }, tasks.map((one) => h("a", { href: address("tradeoffs", [one]), "aria-current": one === task ? "page" : null }, TASKS[one]))),
    h("div", { class: "filters", role: "group", "aria-label": "Axes" }, select("measured on", "filter-place", placeChoices(places), place, (value) => choose({ place: value })), axisChoice("x", x), axisChoice("y", y)),
    points.length ? figure(`${withUnit(y)} against ${withUnit(x)}; the numbers are in the table below`, tradeoffSpec(points, [x, y]), "Diamonds, joined by the dashed line, are the cells that no other beats on both axes. Strokes are 95 % intervals. A point leads to its number.") : note("No cell here has both."),
    tableOf({
      columns: [textColumn("model", "model", (row) => row.model, { node: (row) => h("a", { href: address("model", [cellText(row.cell, "plugin")]) }, row.model) }), metricColumn(x, (row) => row.rows[0]), ...(x === y ? [] : [metricColumn(y, (row) => row.rows[1])]), textColumn("edge", "frontier", (row) => (row.edge ? "not beaten on both" : ""))],
      rows: points, caption: "Points of the plot", sort: sortOf(params).key ? sortOf(params) : { key: y }, onSort: keepSort,
    }, "earmark-tradeoff"),
  ];
};
// Cells of the split that is measured; all where there are none.
const measured = (cells) => { const found = cells.filter((cell) => cellText(cell, "split") === "measure"); return found.length ? found : cells; };
const mostOf = (names) => { const counts = new Map(); for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1); return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0]; };
