// What repairs changed, before and after, and what they cost.

// The same model before its repair: same run, weights it began from, and place.
const baseOf = (cell) => everyCell((one) => board.cells.at.run(one) === board.cells.at.run(cell) && !cellText(one, "mitigation") &&
  ["train_key", "plugin", "corpus", "split", "condition", "device", "seed", "chunk_ms"].every((axis) => cellText(one, axis) === cellText(cell, axis)))[0];

// What repairs changed, under the scheme that they were made for; under each one where they were made for nobody.
const ledgerRows = (cells, pages) => cells.filter((cell) => cellText(cell, "mitigation")).flatMap((cell) => (cellText(cell, "scheme") ? [cellText(cell, "scheme")] : [...schemesOf(pages, cell)]).map((scheme) => ledgerRow(cell, scheme, pages.get(board.cells.at.run(cell)).of(cell, scheme))).filter(Boolean));
const ledgerRow = (cell, scheme, rows) => {
  const told = board.tasks[cellText(cell, "task")].ledger;
  const find = (cohort, metric) => rows.find((row) => row.cohort === cohort && row.metric === metric) ?? null;
  const gap = find("*", told.gap), { bottom, top } = gapFlags(gap);
  if (!bottom || gap.value === null) return null;
  return {
    cell, bottom, top, gap, scheme, of_bottom: find(bottom, told.change), of_top: find(top, told.change), overall: overallOf(cell, told.change),
    mean: find("*", told.mean), max: find("*", told.worst), spread: find("*", told.spread), spread_title: told.spread_title, leveled: gap.flags.includes("leveled_down"), ...costOf(cell),
  };
};

// What the repaired model costs beyond the one before: multiply-accumulates, parameters, and steps of training.
const costOf = (cell) => {
  const base = baseOf(cell);
  const ratio = (metric) => { const [before, after] = [base, cell].map((one) => (one === undefined ? null : overallOf(one, metric)?.value ?? null)); return before && after !== null ? after / before - 1 : null; };
  const made = repairOf(cell);
  return { macs: ratio("macs_per_audio_second"), parameters: ratio("n_parameters"), steps: made ? made.steps : null };
};
// The training of a repair, of the weights that the cell's were before: its key and its steps.
const repairOf = (cell) => {
  const name = board.cells.at.flags(cell).find((flag) => flag.startsWith("repair:"))?.slice(7);
  const all = runOf(cell).checkpoints, base = all[cellText(cell, "train_key")]?.sha256;
  const found = Object.entries(all).find(([, one]) => one.repair?.name === name && one.seed === board.cells.at.seed(cell) && (!base || one.base_sha256 === base));
  return found ? { key: found[0], steps: found[1].steps } : null;
};
// What groups weighed while a repair was trained, drawn when the page was built; of repairs that weigh.
const weightFigures = (cells, pages, column, names) => cells.filter((cell) => cellText(cell, "mitigation")).flatMap((cell) => {
  const drawn = pages.get(board.cells.at.run(cell)).weights[repairOf(cell)?.key]?.[column];
  return drawn ? [h("div", {}, h("h3", {}, names.name(cell)), figure(`Mean weight over mean loss of each group of ${column} while ${names.name(cell)} was trained`, { width: undefined, autosize: { type: "pad" }, ...drawn }))] : [];
});
// Below it, MACs differ because other words were decoded, not because the model grew.
const SAME_MACS = 0.005;
const share = (key, title) => numberColumn(key, title, (row) => row[key], (amount) => `${amount >= 0 ? "+" : ""}${(100 * amount).toFixed(2)} %`);

const schemeColumn = (rows) => (new Set(rows.map((row) => row.scheme)).size > 1 ? [textColumn("scheme", "scheme", (row) => spaced(row.scheme))] : []);
const ledgerTable = (rows, names) => tableOf({
  caption: "Before and after repairs", rows, sort: { key: "gap" },
  columns: [
    textColumn("model", "model", (row) => names.name(row.cell)), ...schemeColumn(rows), { ...textColumn("pair", "worst / best", (row) => `${row.bottom} / ${row.top}`), style: "cohorts" },
    ...[["of_bottom", "worst"], ["of_top", "best"], ["overall", "everybody"], ["gap", "gap"], ["mean", "cohort mean"], ["max", "cohort max"], ["spread", rows[0].spread_title]].map(([key, title]) => ({ ...metricColumn(rows[0][key]?.metric ?? rows[0].gap.metric, (row) => row[key]), key, title })),
    { ...textColumn("remark", "remark", (row) => (row.leveled ? "leveled down" : "")), node: (row) => (row.leveled ? chip("leveled down", "status failed") : "") },
  ],
}, "earmark-ledger");

const costTable = (rows, names) => tableOf({
  caption: "Gap closed and its cost", rows, sort: { key: "closed", descending: true },
  columns: [
    textColumn("model", "model", (row) => names.name(row.cell)), ...schemeColumn(rows),
    { ...numberColumn("closed", "gap closed, points", (row) => -row.gap.value, (amount) => (100 * amount).toFixed(2)), node: (row) => [h("a", { href: numberAddress(row.gap) }, (-100 * row.gap.value).toFixed(2)), h("small", {}, row.gap.ci_low === null ? "no interval" : `[${(-100 * row.gap.ci_high).toFixed(2)}, ${(-100 * row.gap.ci_low).toFixed(2)}]`)] },
    share("macs", "extra MACs"), share("parameters", "extra parameters"), numberColumn("steps", "extra steps", (row) => row.steps),
    { ...numberColumn("per", "points per 1 % MACs", (row) => (row.macs > SAME_MACS ? -row.gap.value / row.macs : null)), text: (row) => (row.macs === null ? NOTHING : row.macs > SAME_MACS ? (-row.gap.value / row.macs).toFixed(2) : "no extra MACs") },
    { ...numberColumn("per_steps", "points per 100 steps", (row) => (row.steps ? (-1e4 * row.gap.value) / row.steps : null), (amount) => amount.toFixed(2)) },
  ],
}, "earmark-gap-cost");

// Repairs beyond which a drawing tells nobody anything.
const MOST_DRAWN = 30;
const costFigure = (rows, names) => {
  const several = new Set(rows.map((row) => row.scheme)).size > 1;
  const values = rows.map((row) => ({ steps: row.steps ?? NOTHING, macs: row.macs === null ? NOTHING : `${(100 * row.macs).toFixed(2)} %`, closed: -100 * row.gap.value, low: -100 * (row.gap.ci_high ?? row.gap.value), high: -100 * (row.gap.ci_low ?? row.gap.value), label: clean([names.name(row.cell), several ? row.scheme : ""].filter(Boolean).join(" · ")), href: numberAddress(row.gap) }));
  if (values.length < 2 || values.length > MOST_DRAWN) return null;
  const y = nominal("label", { axis: { labelLimit: 320 }, sort: { field: "closed", order: "descending" } });
  return figure("Points of gap closed by each repair with its interval; the numbers are in the table below", {
    height: 24 * values.length, data: { values },
    layer: [
      { mark: { type: "rule", strokeDash: [3, 3], color: INK, opacity: 0.5 }, encoding: { x: { datum: 0 } } },
      { mark: { type: "rule", strokeWidth: 2, color: PALETTE[0] }, encoding: { y, x: quantity("low", "gap closed (points)"), x2: { field: "high" } } },
      { mark: { type: "point", filled: true, size: 80, cursor: "pointer", color: PALETTE[0], opacity: 1 }, encoding: { y, x: quantity("closed"), tooltip: [{ field: "label" }, { field: "closed", type: "quantitative", format: ".2f" }, { field: "steps", title: "extra training steps" }, { field: "macs", title: "extra MACs" }] } },
    ],
  }, "Right of the dashed line the gap between the two cohorts became smaller.");
};
