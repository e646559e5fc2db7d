// One run: where, when and with what, and how each of its cells ended.
const cellTable = (cells) => {
  const names = namesOf(cells), headline = (cell) => overallOf(cell, board.tasks[cellText(cell, "task")].headline);
  const rateText = (row) => (row ? [withUnit(row.metric), valueText(row), intervalText(row)].filter(Boolean).join(" ") : "");
  return tableOf({ caption: "Cells of the run", rows: cells.map((cell) => ({ cell })), sort: { key: "model" }, rowClass: (row) => cellText(row.cell, "status"), columns: [
    textColumn("model", "model", (row) => names.name(row.cell), { node: (row) => [modelLink(row.cell), names.apart(row.cell) ? h("small", { class: "apart" }, names.apart(row.cell)) : null], widest: 34 }),
    textColumn("rate", "first metric", (row) => rateText(headline(row.cell)), { widest: 34, node: (row) => { const found = headline(row.cell); return found ? [h("small", {}, withUnit(found.metric)), numberNode(found)] : NOTHING; } }),
    textColumn("place", "measured on", (row) => corpusText(placeName(row.cell)), { widest: 36 }),
    statusColumn(),
  ] }, "earmark-run");
};

const runView = ({ parts: [id] }) => {
  const run = board.runs[board.runPlaces.get(id)];
  if (!run) return [h("h1", {}, "No such run"), note(String(id))];
  return [
    h("h1", {}, `Run ${run.suite}/${run.run_id}`, run.complete ? "" : " ", run.complete ? null : chip("incomplete", "status failed")),
    originFacts(run, null),
    h("p", {}, h("a", { href: address("numbers", [], { run: id }) }, "All its numbers"), " · ", h("a", { href: address("compare", [], { runs: id }) }, "Compare it")),
    section("Cells", cellTable(everyCell((cell) => runOf(cell) === run))),
    section("Corpora", facts(Object.fromEntries(Object.entries(run.corpora).map(([name, about]) => [name, `${count(about.n_utterances)} utterances, ${count(about.n_speakers)} speakers, fingerprint ${about.fingerprint}, ${about.license}`])))),
    section("Plugins", facts(Object.fromEntries(Object.entries(run.plugins).map(([name, about]) => [name, `${about.version} (${about.origin}), digest ${about.digest}, ${about.license}${about.trained_on.length ? `, trained on ${about.trained_on.join(", ")}` : ""}`])))),
  ];
};
