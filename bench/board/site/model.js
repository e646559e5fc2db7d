// One model: what it is, every result, its delays, its service times along the stream, gates, and error trade-offs.
const DELAYS = ["upl_final", "upl_first", "emission", "first_token", "finalize", "endpoint", "compute_chunk"];

const modelList = () => {
  const names = distinct(everyCell(() => true).map((cell) => cellText(cell, "plugin")));
  const rows = names.map((name) => { const cells = everyCell((cell) => cellText(cell, "plugin") === name); const run = runOf(cells.at(-1)); return { name, cells, about: aboutOf(run, name), task: cellText(cells[0], "task") }; });
  return [h("h1", {}, "Models"), tableOf({ caption: "Models", rows, sort: { key: "model" }, columns: [
    textColumn("model", "model", (row) => row.name, { node: (row) => h("a", { href: address("model", [row.name]) }, row.name) }), textColumn("task", "task", (row) => TASKS[row.task]),
    textColumn("version", "version", (row) => row.about?.version), textColumn("license", "license", (row) => row.about?.license), textColumn("trained", "its weights have seen", (row) => row.about?.trained_on.map(corpusText).join(", ")),
    textColumn("presets", "presets measured", (row) => distinct(row.cells.map((cell) => cellText(cell, "preset"))).join(", ")), numberColumn("cells", "cells", (row) => row.cells.length),
  ] }, "earmark-models")];
};

const delayFigure = (cells, names) => {
  const values = cells.flatMap((cell) => DELAYS.flatMap((stem) => [50, 90, 95, 99].map((q) => ({ stem, q, row: overallOf(cell, `${stem}_p${q}`) })).filter(({ row }) => row?.value !== null && row).map(({ stem: name, q, row }) => ({ ...ends(row, "y"), delay: spaced(name).replace(/^upl/, "UPL"), q: `p${q}`, label: clean(names.name(cell)), said: `${valueText(row)} ${intervalText(row)} ms`, href: numberAddress(row) }))));
  if (!values.length) return null;
  const shared = { x: { field: "q", type: "ordinal", title: null, axis: { labelAngle: 0 } }, xOffset: { field: "label" }, color: nominal("label", { legend: new Set(values.map((value) => value.label)).size > 1 ? {} : null }) };
  return section("Latency percentiles", figure("Percentiles of each delay with intervals; the numbers are in the table of results", {
    data: { values }, width: undefined, autosize: undefined, columns: 3, facet: { field: "delay", type: "nominal", title: null, header: { labelColor: INK, labelFont: FONT, labelFontSize: 13 } },
    spec: { width: 240, height: 160, layer: [
      { mark: { type: "rule", strokeWidth: 2 }, encoding: { ...shared, y: quantity("y_low", "ms"), y2: { field: "y_high" } } },
      { mark: { type: "point", filled: true, size: 50, cursor: "pointer" }, encoding: { ...shared, y: quantity("y", "ms"), tooltip: [{ field: "label" }, { field: "delay" }, { field: "q" }, { field: "said" }] } },
    ] }, resolve: { scale: { y: "independent" } },
  }, "Delays count from when the audio was due; strokes are 95 % intervals."));
};

const serviceFigure = (pages, names) => {
  const values = pages.flatMap(([cell, page]) => (page.service ?? []).map(([x, median, high, n]) => ({ x, median, high, n, label: clean(names.name(cell)) })));
  if (!values.length) return null;
  const x = quantity("x", "position in the stream (s)"), color = nominal("label");
  return section("Service time along the stream", figure("Median and 95th percentile of the time spent on a chunk, by position in the stream", {
    height: 240, data: { values }, layer: [
      { mark: { type: "line", point: true }, encoding: { x, y: quantity("median", "service time of a chunk (ms)"), color, tooltip: [{ field: "label" }, { field: "x", type: "quantitative", format: ".2f" }, { field: "median", type: "quantitative", format: ".3f" }, { field: "high", title: "p95", type: "quantitative", format: ".3f" }, { field: "n" }] } },
      ...(pages.length > 3 ? [] : [{ mark: { type: "line", strokeDash: [3, 3], opacity: 0.7 }, encoding: { x, y: quantity("high"), color } }]),
    ],
  }, `Whole line: median${pages.length > 3 ? "" : "; dashed: 95th percentile"}. A line that rises says that a model slows down as the stream grows.`));
};

const detFigure = (pages) => {
  const values = pages.flatMap(([label, page]) => (page.det ?? []).map(([accepted, missed, threshold, x, y]) => ({ x, y, accepted, missed, threshold, label: clean(label) })));
  if (!values.length) return null;
  const ticks = pages.find(([, page]) => page.det)[1].det_ticks;
  const names = Object.fromEntries(ticks.map(([rate, at]) => [at.toFixed(3).replace("-", "\u2212"), `${100 * rate}`]));
  const axis = { values: ticks.map(([, at]) => at), labelExpr: `${JSON.stringify(names)}[format(datum.value, '.3f')]` };
  const [least, most] = [ticks[0][1], ticks.at(-1)[1]];
  const shown = { scale: { domain: [least, most], nice: false }, axis };
  return figure("Miss rate against false accept rate on normal deviates", {
    height: 420, width: 460, autosize: { type: "pad" }, data: { values }, layer: [
      { mark: { type: "line", clip: true }, encoding: { x: quantity("x", "false accepts (%)", shown), y: quantity("y", "misses (%)", shown), color: nominal("label"), order: { field: "threshold" } } },
      { mark: { type: "point", opacity: 0, size: 60, clip: true }, encoding: { x: quantity("x"), y: quantity("y"), tooltip: ["label", "accepted", "missed", "threshold"].map((field) => ({ field })) } },
      { data: { values: [{ a: least, b: most }] }, mark: { type: "rule", strokeDash: [3, 3], opacity: 0.5, color: INK }, encoding: { x: quantity("a"), x2: { field: "b" }, y: quantity("a"), y2: { field: "b" } } },
    ],
  }, "Down and left is better; on the dashed line both errors are equal.");
};
const scoreFigure = (page) => {
  const values = page.scores.flatMap(([from, to, target, other]) => [{ from, to, share: target, of: "same speaker" }, { from, to, share: other, of: "different speakers" }]);
  return figure("How the scores of trials are spread", { height: 200, data: { values }, mark: { type: "bar", opacity: 0.5, binSpacing: 0 }, encoding: { x: quantity("from", "score", { bin: { binned: true } }), x2: { field: "to" }, y: quantity("share", "share of trials", { stack: null }), color: nominal("of", { scale: { domain: ["same speaker", "different speakers"] } }) } }, `${count(page.n_trials[0])} trials of one speaker, ${count(page.n_trials[1])} of two.`);
};
const MOST_SPREADS = 4;
const scoreSection = (pages, names) => {
  const drawn = pages.filter(([, page]) => page.scores).slice(0, MOST_SPREADS);
  return drawn.length ? section("Scores of trials", h("div", { class: "two" }, drawn.map(([cell, page]) => h("div", {}, h("h3", {}, names.name(cell)), scoreFigure(page))))) : null;
};
// The conversation with most errors, channel by channel, on one axis of time.
const turnSection = (pages, names) => {
  const found = pages.find(([, page]) => Object.keys(page.utterances?.turns ?? {}).length);
  if (!found) return null;
  const [cell, { utterances: told }] = found, at = Math.max(0, told.id.findIndex((id) => told.turns[id]));
  return section("A conversation in time", note(h("a", { href: utteranceAddress(cell, told.id[at]) }, told.id[at]), `, heard by ${names.name(cell)}: of the conversations drawn here the one with most errors.`), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Turns in time" }, timeline(told, at)));
};
// What was drawn of the cohorts when the page was built, under one of the schemes.
const BY_COHORT = {
  det: ["Error trade-offs of the cohorts on normal deviates", "A dot is a curve’s own EER; a ring stands where the one threshold of all trials puts it. Rings far apart are cohorts served differently, whatever their EERs."],
  scores: ["How scores are spread in each cohort", "The dashed line is the one threshold, that of the EER of all trials."],
  matches: ["False matches by the cohorts of the two speakers", "At the one threshold: inside cohorts on the diagonal, across them beside it."],
};
const cohortPictures = (page, chosen) => {
  const schemes = Object.keys(page.by_cohort ?? {});
  if (!schemes.length) return null;
  const scheme = schemes.includes(chosen) ? chosen : schemes[0];
  const drawn = Object.entries(BY_COHORT).filter(([name]) => page.by_cohort[scheme][name]);
  return section("By cohort", select("cohorts by", "filter-cohorts", schemes, scheme, (value) => choose({ cohorts: value })),
    drawn.map(([name, [label, caption]]) => figure(label, { width: undefined, autosize: { type: "pad" }, ...page.by_cohort[scheme][name] }, caption)));
};
const trialTable = (page) => tableOf({ caption: "Trials that went most wrong", rows: page.trials, sort: {}, columns: [
  ...["enrolled", "tested", "enrolled speaker", "tested speaker"].map((title, at) => textColumn(title, title, (row) => row[at])), textColumn("target", "same speaker", (row) => (row[4] ? "yes" : "no")), numberColumn("score", "score", (row) => row[5], (amount) => amount.toFixed(4)),
] }, "earmark-trials");

const MOST_CELLS = 8;
// The best by what the task is ranked by: a figure holds so many cells and no more.
const bestOf = (cells, metric) => {
  const sign = board.metrics[metric]?.better === "higher" ? -1 : 1, worth = (cell) => sign * (overallOf(cell, metric)?.value ?? sign * Infinity);
  return [...cells].sort((a, b) => worth(a) - worth(b)).slice(0, MOST_CELLS);
};
const modelView = async ({ parts: [name], params }) => {
  if (!name) return modelList();
  const all = everyCell((cell) => cellText(cell, "plugin") === name && (params.runs === "all" || isNow(cell)));
  const cells = all.length ? all : everyCell((cell) => cellText(cell, "plugin") === name);
  if (!cells.length) return [h("h1", {}, "No such model"), note(name)];
  const run = runOf(cells.at(-1)), about = aboutOf(run, name), task = cellText(cells[0], "task");
  const places = distinct(cells.map(placeName)), place = places.includes(params.place) ? params.place : mostOf(measured(cells).map(placeName));
  const here = cells.filter((cell) => placeName(cell) === place && cellText(cell, "status") === "ok"), mine = bestOf(here, board.tasks[task].headline);
  const pages = await Promise.all(mine.map(async (cell) => [cell, await loadCell(cell)]));
  const names = namesOf(mine, { runs: true }), ofAll = namesOf(cells, { runs: true }), known = [...metricsOf(task)].filter((metric) => cells.some((cell) => overallOf(cell, metric)));
  const listed = [...board.tasks[task].columns.filter((metric) => known.includes(metric)), ...known.filter((metric) => !board.tasks[task].columns.includes(metric))];
  const size = cells.map((cell) => overallOf(cell, "n_parameters")).find((row) => row?.value);
  return [
    h("p", { class: "crumbs" }, h("a", { href: address("model") }, "Models"), " / ", name), h("h1", {}, name),
    facts({ task: TASKS[task], origin: about ? `${about.origin}, version ${about.version}, digest ${about.digest}` : null, license: about?.license, "its weights have seen": about?.trained_on.map(corpusText).join(", "), "presets measured": distinct(cells.map((cell) => cellText(cell, "preset"))).join(", "), options: distinct(cells.map((cell) => cellText(cell, "options"))).join(" or "), parameters: size ? h("a", { href: numberAddress(size) }, valueText(size)) : null }),
    await cardSection(name),
    section("Results", tableOf({ caption: `Results of ${name}`, rows: cells.map((cell) => ({ cell })), sort: sortOf({ sort: params.sort ?? bestFirst(board.tasks[task].headline) }), onSort: keepSort,
      columns: [textColumn("variant", "variant", (row) => ofAll.name(row.cell)), ...["corpus", "condition", "device"].map((axis) => textColumn(axis, axis, (row) => corpusText(cellText(row.cell, axis)), { widest: 30 })), textColumn("suite", "suite", (row) => runOf(row.cell).suite), ...listed.map((metric) => metricColumn(metric, (row) => overallOf(row.cell, metric))), statusColumn()] }, `earmark-${name}`)),
    h("div", { class: "filters", role: "group", "aria-label": "What is drawn" }, select("drawn for", "filter-place", placeChoices(places), place, (value) => choose({ place: value }))),
    here.length > MOST_CELLS ? note(`Drawn are the best ${MOST_CELLS} of ${here.length} by ${withUnit(board.tasks[task].headline)}; the table has all.`) : null,
    delayFigure(mine, names), serviceFigure(pages, names), await gateSection(pages, names), turnSection(pages, names),
    pages.some(([, page]) => page.det) ? section("Detection error trade-off", detFigure(pages.map(([cell, page]) => [names.name(cell), page]))) : null,
    scoreSection(pages, names),
    mine.some((cell) => board.cells.at.page(cell)) ? section("Recordings", h("ul", {}, mine.filter((cell) => board.cells.at.page(cell)).map((cell) => { const row = overallOf(cell, board.tasks[task].headline); return row ? h("li", {}, h("a", { href: numberAddress(row) }, `${names.name(cell)}: ${withUnit(row.metric)} ${valueText(row)}`)) : null; }))) : null,
  ];
};
