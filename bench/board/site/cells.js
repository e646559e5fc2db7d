// Cells as people name them, what tells them apart, and links to their numbers.
const TASKS = { recognition: "Speech recognition", conversation: "Conversations", verification: "Speaker verification", finding: "Cohort finders" };
const AXES = ["split", "preset", "options", "train_corpus", "steps", "labels", "cohort_input", "seed", "chunk_ms", "pacing", "passes", "threads", "precision", "backend"];
// Not told in names: the place is told apart, and passes only repeat a timing.
const UNSAID = ["split", "passes", "pacing"];
const TITLES = { chunk_ms: "chunk ms", train_corpus: "trained on", cohort_input: "cohort input" };
const axisTitle = (axis) => TITLES[axis] ?? axis;
const SILENT = { labels: "human", cohort_input: "none", precision: "fp32", backend: "eager", preset: "default" };

const cellText = (cell, axis) => {
  const value = board.cells.at[axis](cell);
  if (axis === "options") return optionsText(value);
  return value === null || value === undefined ? "" : String(value);
};
const optionsText = (json, keys) => (json ? Object.entries(JSON.parse(json)).filter(([key]) => !keys || keys.has(key)).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ") : "");
// The options of a plugin whose values differ between its cells: the others go without saying in a name.
const toldOptions = (plugin) => {
  board.toldOptions ??= new Map();
  if (!board.toldOptions.has(plugin)) {
    const seen = new Map();
    const jsons = new Set(everyCell((cell) => board.cells.at.plugin(cell) === plugin).map((cell) => board.cells.at.options(cell)));
    for (const json of jsons) for (const [key, value] of Object.entries(json ? JSON.parse(json) : {})) seen.set(key, (seen.get(key) ?? new Set()).add(JSON.stringify(value)));
    const absent = (key) => [...jsons].some((json) => !(json && key in JSON.parse(json)));
    board.toldOptions.set(plugin, new Set([...seen].filter(([key, values]) => values.size > 1 || absent(key)).map(([key]) => key)));
  }
  return board.toldOptions.get(plugin);
};
const nameText = (cell, axis) => (axis === "options" ? optionsText(board.cells.at.options(cell), toldOptions(cellText(cell, "plugin"))) : cellText(cell, axis));
const varying = (cells, axes = AXES) => axes.filter((axis) => new Set(cells.map((cell) => cellText(cell, axis))).size > 1);
const runOf = (cell) => board.runs[board.cells.at.run(cell)];
const isNow = (cell) => board.newest[board.cells.at.run(cell)];
const everyCell = (keep) => { const found = []; for (let cell = 0; cell < board.cells.n; cell++) if (keep(cell)) found.push(cell); return found; };
const cellName = (cell, axes = []) => [cellText(cell, "label"), ...axes.filter((axis) => !UNSAID.includes(axis)).map((axis) => { const text = nameText(cell, axis); return text && text !== SILENT[axis] ? (/^\d/.test(text) ? `${axisTitle(axis)} ${text}` : text) : ""; })].filter(Boolean).join(" · ");
const placeName = (cell) => `${cellText(cell, "corpus")}/${cellText(cell, "split")} ${cellText(cell, "condition")} · ${cellText(cell, "device")}`;
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
  kind === "best" ? chip("best", "best", "best of the cells on this corpus, split, condition and device") :
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
