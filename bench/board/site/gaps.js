// Gaps with what chance alone gives, the ledger of repairs, and what a repair costs.
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

const gapTable = (found, axes) => {
  const amount = (key, title) => ({ ...numberColumn(key, title, (row) => row.gap?.[key]), text: (row) => (row.gap?.[key] === null || row.gap?.[key] === undefined ? NOTHING : digits(row.gap.metric, row.gap[key], row.gap.value ?? 1)) });
  return tableOf({
    caption: "Gaps between cohorts", rows: found, sort: { key: "gap", descending: true },
    columns: [
      textColumn("model", "model", (row) => cellName(row.cell, axes)), textColumn("scheme", "scheme", (row) => row.scheme),
      textColumn("pair", "worst / best", (row) => { const { bottom, top } = gapFlags(row.gap); return bottom ? `${bottom} / ${top}` : ""; }),
      { ...metricColumn(found[0]?.gap?.metric ?? "gap_rel", (row) => row.gap), key: "gap", title: "relative gap %" },
      amount("null_q95", "chance, 95 %"), amount("detectable", "detectable"),
      { key: "drawn", title: "drawn", text: () => "", node: (row) => gapBar(row.gap), raw: () => ({}) },
      textColumn("reading", "reading", (row) => verdict(row.gap)),
    ],
  }, "earmark-gaps");
};

// --- repairs ------------------------------------------------------------------------------------------------------

// The same model before its repair: same run, weights it began from, and place.
const baseOf = (cell) => everyCell((one) => board.cells.at.run(one) === board.cells.at.run(cell) && !cellText(one, "mitigation") &&
  ["train_key", "plugin", "corpus", "split", "condition", "device", "seed", "chunk_ms"].every((axis) => cellText(one, axis) === cellText(cell, axis)))[0];

const ledgerRows = (cells, pages) => cells.filter((cell) => cellText(cell, "mitigation") && cellText(cell, "scheme")).map((cell) => {
  const rows = pages.get(board.cells.at.run(cell)).of(cell, cellText(cell, "scheme"));
  const find = (cohort, metric) => rows.find((row) => row.cohort === cohort && row.metric === metric) ?? null;
  const gap = find("*", "gap_abs_change"), { bottom, top } = gapFlags(gap);
  if (!bottom) return null;
  return {
    cell, bottom, top, gap, scheme: cellText(cell, "scheme"), of_bottom: find(bottom, "wer_change"), of_top: find(top, "wer_change"), overall: overallOf(cell, "wer_change"),
    mean: find("*", "wer_cohort_mean"), max: find("*", "wer_cohort_max"), variance: find("*", "wer_cohort_var_debiased"), leveled: gap.flags.includes("leveled_down"), ...costOf(cell),
  };
}).filter(Boolean);

// What the repaired model costs beyond the one before: multiply-accumulates, parameters, and steps of training.
const costOf = (cell) => {
  const base = baseOf(cell);
  const ratio = (metric) => { const [before, after] = [base, cell].map((one) => (one === undefined ? null : overallOf(one, metric)?.value ?? null)); return before && after !== null ? after / before - 1 : null; };
  const repair = board.cells.at.flags(cell).find((flag) => flag.startsWith("repair:"))?.slice(7);
  const made = Object.values(runOf(cell).checkpoints).find((one) => one.repair?.name === repair && one.seed === board.cells.at.seed(cell));
  return { macs: ratio("macs_per_audio_second"), parameters: ratio("n_parameters"), steps: made ? made.steps : null };
};
// Below it, MACs differ because other words were decoded, not because the model grew.
const SAME_MACS = 0.005;
const share = (key, title) => numberColumn(key, title, (row) => row[key], (amount) => `${amount >= 0 ? "+" : ""}${(100 * amount).toFixed(2)} %`);

const ledgerTable = (rows, axes) => tableOf({
  caption: "Before and after repairs", rows, sort: { key: "gap" },
  columns: [
    textColumn("model", "model", (row) => cellName(row.cell, axes)), textColumn("pair", "worst / best", (row) => `${row.bottom} / ${row.top}`),
    ...[["of_bottom", "worst"], ["of_top", "best"], ["overall", "everybody"], ["gap", "gap"], ["mean", "cohort mean"], ["max", "cohort max"], ["variance", "cohort variance"]].map(([key, title]) => ({ ...metricColumn(rows[0]?.[key]?.metric ?? "wer_change", (row) => row[key]), key, title })),
    { ...textColumn("remark", "remark", (row) => (row.leveled ? "leveled down" : "")), node: (row) => (row.leveled ? chip("leveled down", "status failed") : "") },
  ],
}, "earmark-ledger");

const costTable = (rows, axes) => tableOf({
  caption: "Gap closed and its cost", rows, sort: { key: "closed", descending: true },
  columns: [
    textColumn("model", "model", (row) => cellName(row.cell, axes)),
    { ...numberColumn("closed", "gap closed, points", (row) => -row.gap.value, (amount) => (100 * amount).toFixed(2)), node: (row) => [h("a", { href: numberAddress(row.gap) }, (-100 * row.gap.value).toFixed(2)), h("small", {}, row.gap.ci_low === null ? "" : `[${(-100 * row.gap.ci_high).toFixed(2)}, ${(-100 * row.gap.ci_low).toFixed(2)}]`)] },
    share("macs", "extra MACs"), share("parameters", "extra parameters"), numberColumn("steps", "extra training steps", (row) => row.steps),
    { ...numberColumn("per", "points per 1 % of MACs", (row) => (row.macs > SAME_MACS ? -row.gap.value / row.macs : null)), text: (row) => (row.macs === null ? NOTHING : row.macs > SAME_MACS ? (-row.gap.value / row.macs).toFixed(2) : "no extra MACs") },
    { ...numberColumn("per_steps", "points per 100 steps", (row) => (row.steps ? (-1e4 * row.gap.value) / row.steps : null), (amount) => amount.toFixed(2)) },
  ],
}, "earmark-gap-cost");

const costFigure = (rows, axes) => {
  const values = rows.filter((row) => row.steps !== null).map((row) => ({ steps: row.steps, closed: -100 * row.gap.value, low: -100 * (row.gap.ci_high ?? row.gap.value), high: -100 * (row.gap.ci_low ?? row.gap.value), label: clean(cellName(row.cell, axes)), href: numberAddress(row.gap) }));
  if (values.length < 2) return null;
  const x = nominal("label", { axis: { labelAngle: -30, labelLimit: 220 } }), color = nominal("label", { legend: null });
  return figure("Points of gap closed by each repair with its interval; the numbers are in the table below", {
    height: 240, data: { values },
    layer: [
      { mark: { type: "rule", strokeDash: [3, 3], color: INK, opacity: 0.5 }, encoding: { y: { datum: 0 } } },
      { mark: { type: "rule", strokeWidth: 2 }, encoding: { x, y: quantity("low", "gap closed (points)"), y2: { field: "high" }, color } },
      { mark: { type: "point", filled: true, size: 80, cursor: "pointer" }, encoding: { x, y: quantity("closed"), color, tooltip: [{ field: "label" }, { field: "closed", type: "quantitative", format: ".2f" }, { field: "steps", title: "extra training steps" }] } },
    ],
  }, "Above the dashed line the gap between the two cohorts became smaller.");
};
