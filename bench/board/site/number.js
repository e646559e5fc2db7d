// One number: how it was counted, on what machine, by which command, and the recordings behind it.
const findRow = async (cell, metric, scheme, cohort) => {
  if (scheme === "all" && cohort === "all") return overallOf(cell, metric);
  const page = await loadRun(board.cells.at.run(cell));
  return page.of(cell, scheme).find((row) => row.metric === metric && row.cohort === cohort) ?? null;
};

const remarkChips = (flags) => flags.map((flag) => chip(spaced(flag), "flag", flag));

const countedFacts = (row) => {
  const standing = row.scheme === "all" ? standingOf(row.cell, row.metric) : null;
  const level = row.ci_level === null ? "" : `${Math.round(100 * row.ci_level)} %`;
  const exact = (amount) => (amount === null || amount === undefined ? null : `${digits(row.metric, amount, row.value ?? amount)} ${metricUnit(row.metric)}`);
  return facts({
    "what it is": board.metrics[row.metric]?.text, "stored value": row.value === null ? null : String(row.value),
    interval: row.ci_low === null ? "none" : `${level} ${intervalText(row)} ${metricUnit(row.metric)}, ${row.ci_method}`,
    counted: row.numerator === null ? null : `${count(row.numerator)} of ${count(row.denominator)}`,
    "rests on": row.n === null ? null : `${count(row.n)} ${row.n_unit}`, speakers: row.n_speakers === null ? null : count(row.n_speakers),
    coverage: row.coverage === null ? null : percent(row.coverage), "chance alone stays under": exact(row.null_q95), "smallest detectable": exact(row.detectable),
    "among its rivals": standing ? [standingChip(standing), " ", standing[2] === "tied" ? `p = ${standing[3].toFixed(3)}, ${standing[4]}` : ""] : null,
    normalizer: row.normalizer, status: [statusChip(row.status), " ", row.reason ?? ""], remarks: remarkChips(row.flags),
  });
};

const cellFacts = (cell) => facts({
  model: modelLink(cell), ...Object.fromEntries(["preset", "options", "train_corpus", "steps", "labels", "seed", "mitigation", "finder", "scheme", "cohort_input"].map((axis) => [axisTitle(axis), cellText(cell, axis)])),
  "measured on": corpusText(placeName(cell)), chunks: cellText(cell, "chunk_ms") && `${cellText(cell, "chunk_ms")} ms, ${cellText(cell, "pacing")} pacing, ${cellText(cell, "passes")} passes`,
  computed: `${cellText(cell, "backend")} ${cellText(cell, "precision")}, ${threads(cellText(cell, "threads"))}`, cell: h("code", {}, board.cells.at.cell(cell)),
  remarks: remarkChips(board.cells.at.flags(cell)),
});

const threads = (n) => `${n} ${Number(n) === 1 ? "thread" : "threads"}`;
// What a run says of a plugin; finders and repairs stand there with their kind.
const aboutOf = (run, plugin) => run.plugins[plugin] ?? run.plugins[`${plugin} (fairness)`];
const machineText = (run) => `${run.host.cpu_model}, ${run.host.n_cpus} CPUs, ${count(run.host.memory_mib)} MiB${run.host.gpu_model ? `, ${run.host.gpu_model}` : ""} (${run.host.id})`;
const originFacts = (run, plugin) => {
  const state = run.environment, about = aboutOf(run, plugin);
  return facts({
    machine: machineText(run), load: `${state.load_start.toFixed(2)}${state.load_end === null ? "" : ` to ${state.load_end.toFixed(2)}`}, ${threads(state.threads)} for models${state.steal_fraction === null ? "" : `, ${percent(state.steal_fraction)} stolen`}`,
    command: h("code", {}, run.command.join(" ")), run: h("a", { href: address("run", [run.run_id]) }, `${run.suite}/${run.run_id}`),
    commit: h("code", {}, `${run.git_sha ?? "unknown"}${run.git_dirty ? " with uncommitted changes" : ""}`), started: run.started_at, finished: run.finished_at ?? "not yet: this run is incomplete",
    plugin: about ? `${plugin} ${about.version} (${about.origin}), digest ${about.digest}, ${about.license}` : null,
    "scored again by": h("code", {}, `earmark score ${run.run_id}`),
  });
};

const numberView = async ({ parts: [run, key, metric], params }) => {
  const cell = findCell(run, key);
  const row = cell < 0 ? null : await findRow(cell, metric, params.scheme ?? "all", params.cohort ?? "all");
  if (!row) return [h("h1", {}, "No such number"), note("The tables of this page have no ", String(metric), " of cell ", String(key), " in run ", String(run), ".")];
  const where = row.scheme === "all" ? "" : ` · ${row.scheme}: ${row.cohort === "*" ? "across cohorts" : row.cohort}`;
  return [
    h("p", { class: "crumbs" }, h("a", { href: address("overview", [cellText(cell, "task")]) }, TASKS[cellText(cell, "task")]), " / ", modelLink(cell), " / ", corpusText(placeName(cell)), where),
    h("h1", {}, `${metricTitle(metric)} `, h("span", { class: "figure" }, `${valueText(row)} ${row.value === null ? "" : metricUnit(metric)}`), " ", h("small", {}, intervalText(row))),
    h("div", { class: "under" }, h("span", {}, "This number with all its fields"), downloads(`number-${metric}`, () => [{ ...row, cell: key, run, command: runOf(cell).command.join(" "), host: runOf(cell).host.id, git_sha: runOf(cell).git_sha }])),
    h("div", { class: "two" }, section("How it was counted", countedFacts(row)), section("Where it was measured", originFacts(runOf(cell), cellText(cell, "plugin"))), section("What was measured", cellFacts(cell))),
    await recordingsOf(cell),
  ];
};
