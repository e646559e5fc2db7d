// Cells and their numbers: what they belong to, links to where a number comes from, and columns of tables.
const runOf = (cell) => board.runs[board.cells.at.run(cell)];
const isNow = (cell) => board.newest[board.cells.at.run(cell)];
const everyCell = (keep) => { const found = []; for (let cell = 0; cell < board.cells.n; cell++) if (keep(cell)) found.push(cell); return found; };
const findCell = (run, key) => {
  const place = board.runPlaces.get(run);
  for (let cell = 0; cell < board.cells.n; cell++) if (board.cells.at.run(cell) === place && board.cells.at.cell(cell) === key) return cell;
  return -1;
};
const numberAddress = (row) => address("number", [runOf(row.cell).run_id, board.cells.at.cell(row.cell), row.metric],
  row.scheme === "all" && row.cohort === "all" ? {} : { scheme: row.scheme, cohort: row.cohort });
const modelLink = (cell) => h("a", { href: address("model", [cellText(cell, "plugin")]) }, cellText(cell, "label"));
const runTitle = (run) => `${run.suite} ${run.started_at.slice(0, 16).replace("T", " ")} ${(run.git_sha ?? "unknown").slice(0, 7)}`;

// A number with its interval and its standing, leading to where it comes from.
const numberNode = (row) => {
  if (!row) return NOTHING;
  const standing = row.scheme === "all" ? standingOf(row.cell, row.metric) : null;
  const shown = h("a", { class: `value ${row.status}`, href: numberAddress(row), title: row.reason }, valueText(row));
  return [shown, " ", standing ? standingChip(standing) : null, row.status === "insufficient" && row.value !== null ? chip("insufficient", "status insufficient", row.reason) : null, h("small", {}, intervalText(row))];
};
const standingChip = ([, , kind, p, how]) =>
  kind === "best" ? chip("best", "best", "best of the cells that heard the same recordings on the same kind of device") :
    chip("≈ best", "tied", `not distinguishable from the best: p = ${p.toFixed(3)} after Holm's correction, ${how}`);

// A column of a metric; `find` gives the measurement of a row.
const metricColumn = (metric, find) => ({
  key: metric, title: withUnit(metric), hint: board.metrics[metric]?.text, number: true, better: board.metrics[metric]?.better, widest: 20,
  read: (row) => { const found = find(row); return found ? (found.status === "unbounded" ? Infinity : found.value) : null; },
  text: (row) => { const found = find(row); return `${valueText(found)} ${intervalText(found)}`.trim(); },
  node: (row) => numberNode(find(row)),
  raw: (row) => { const found = find(row); return { [metric]: found?.value ?? null, [`${metric}_low`]: found?.ci_low ?? null, [`${metric}_high`]: found?.ci_high ?? null, [`${metric}_status`]: found?.status ?? null }; },
});
const distinct = (values) => [...new Set(values.filter((value) => value !== null && value !== undefined && value !== ""))].sort(COLLATOR.compare);
