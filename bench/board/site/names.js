// Cells as people name them: the label, with whatever tells it from others of the same label; and where they were measured.
const TASKS = { recognition: "Speech recognition", conversation: "Conversations", verification: "Speaker verification", finding: "Cohort finders" };
const AXES = ["split", "preset", "options", "train_corpus", "steps", "labels", "cohort_input", "seed", "chunk_ms", "pacing", "passes", "threads", "precision", "backend"];
// Told first in names, as long ones are cut at their end.
const FOREMOST = ["preset", "seed", "chunk_ms"];
// Not told in names: the place is told apart, and passes only repeat a timing.
const UNSAID = ["split", "passes", "pacing"];
const TITLES = { chunk_ms: "chunk ms", train_corpus: "trained on", cohort_input: "cohort input" };
const axisTitle = (axis) => TITLES[axis] ?? axis;
const SILENT = { labels: "human", cohort_input: "none", precision: "fp32", backend: "eager", preset: "default" };
const SAY = {
  steps: (text) => `${count(Number(text))} steps`, seed: (text) => `seed ${text}`, chunk_ms: (text) => `chunks of ${text} ms`, threads: (text) => `${text} ${text === "1" ? "thread" : "threads"}`,
  train_corpus: (text) => `trained on ${corpusText(text)}`, labels: (text) => `${text} labels`, cohort_input: (text) => `cohort ${text}`,
};

const cellText = (cell, axis) => {
  const value = board.cells.at[axis](cell);
  if (axis === "options") return optionsText(value);
  return value === null || value === undefined ? "" : String(value);
};
const optionsText = (json, keys) => (json ? Object.entries(JSON.parse(json)).filter(([key]) => !keys || keys.has(key)).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ") : "");
// The options whose values differ between some cells: the others go without saying in a name.
const toldOptions = (cells) => {
  const all = [...new Set(cells.map((cell) => board.cells.at.options(cell)))].map((json) => (json ? JSON.parse(json) : {}));
  const keys = new Set(all.flatMap(Object.keys));
  return new Set([...keys].filter((key) => new Set(all.map((one) => JSON.stringify(one[key]))).size > 1));
};
const varying = (cells, axes = AXES) => axes.filter((axis) => new Set(cells.map((cell) => cellText(cell, axis))).size > 1);
// Weights from the corpus that a model is measured on go without saying.
const saidOf = (cell, axis, options) => {
  const text = axis === "options" ? optionsText(board.cells.at.options(cell), options) : cellText(cell, axis);
  if (axis === "train_corpus" && text === cellText(cell, "corpus")) return "";
  return !text || text === SILENT[axis] ? "" : SAY[axis]?.(text) ?? text;
};
// Names of some cells: `apart` is what tells one from those that share its label, `name` is both.
// With `runs`, those that nothing else tells apart in a place say when their run began.
const namesOf = (cells, { runs = false } = {}) => {
  const twins = new Map(), apart = new Map();
  for (const cell of cells) { const label = cellText(cell, "label"); if (!twins.has(label)) twins.set(label, []); twins.get(label).push(cell); }
  for (const found of twins.values()) {
    const axes = varying(found, [...new Set([...FOREMOST, ...AXES])]).filter((axis) => !UNSAID.includes(axis));
    const options = axes.includes("options") ? toldOptions(found) : null;
    for (const cell of found) apart.set(cell, axes.map((axis) => saidOf(cell, axis, options)).filter(Boolean).join(" · "));
  }
  if (runs) sayRuns(cells, apart);
  const apartOf = (cell) => apart.get(cell) ?? "";
  return { apart: apartOf, name: (cell) => [cellText(cell, "label"), apartOf(cell)].filter(Boolean).join(" · ") };
};

const sayRuns = (cells, apart) => {
  const alike = new Map();
  for (const cell of cells) { const key = [cellText(cell, "label"), apart.get(cell), placeName(cell)].join("\u0000"); if (!alike.has(key)) alike.set(key, []); alike.get(key).push(cell); }
  for (const found of alike.values()) if (new Set(found.map((cell) => board.cells.at.run(cell))).size > 1) for (const cell of found) apart.set(cell, [apart.get(cell), `run of ${runOf(cell).started_at.slice(5, 16).replace("T", " ")}`].filter(Boolean).join(" · "));
};

// A corpus made from another one, `kind(a=1,b=2):source`, says only what differs between those of its kind here.
const MADE = /(\w+)\(([^()]*)\):/g;
const corpusText = (text) => text.replace(MADE, (_, kind, inside) => {
  const told = inside.split(",").filter((part) => !madeAlike(kind).has(part));
  return `${kind}${told.length ? `(${told.join(", ")})` : ""}:`;
});
const madeAlike = (kind) => {
  board.madeAlike ??= new Map();
  if (!board.madeAlike.has(kind)) {
    const names = new Set(everyCell(() => true).flatMap((cell) => [cellText(cell, "corpus"), cellText(cell, "train_corpus")]));
    const all = [...names].flatMap((name) => [...name.matchAll(MADE)]).filter(([, one]) => one === kind).map(([, , inside]) => inside.split(","));
    board.madeAlike.set(kind, new Set(all.flat().filter((part) => all.every((parts) => parts.includes(part)))));
  }
  return board.madeAlike.get(kind);
};

// The same in two lines: what it is made of, and how.
const MADE_WHOLE = /^(\w+)\((.*)\):(.*)$/s;
const corpusNode = (text) => {
  const found = corpusText(text).match(MADE_WHOLE);
  return found ? [`${found[1]}: ${found[3]}`, h("small", { class: "apart", title: found[2] }, found[2])] : corpusText(text);
};

// Where a cell was measured; with how much it heard, where cells of one place heard different recordings.
const spotName = (cell) => `${cellText(cell, "corpus")}/${cellText(cell, "split")} ${cellText(cell, "condition")} · ${cellText(cell, "device")}`;
const placeName = (cell) => [spotName(cell), heardText(cell)].filter(Boolean).join(" · ");
const heardText = (cell) => { const found = (board.heardAt ??= heardBySpot()).get(spotName(cell)); return found?.size > 1 ? found.get(board.cells.at.heard(cell)) ?? "" : ""; };
const heardBySpot = () => {
  const spots = new Map();
  for (const cell of everyCell((one) => board.cells.at.heard(one))) {
    const spot = spotName(cell), digest = board.cells.at.heard(cell), row = overallOf(cell, board.tasks[cellText(cell, "task")].headline);
    if (!spots.has(spot)) spots.set(spot, new Map());
    const texts = spots.get(spot), text = row?.n ? `${count(row.n)} ${row.n_unit}` : "";
    if (texts.get(digest)) continue;
    texts.set(digest, !text || [...texts.values()].includes(text) ? `${text || "recordings"} ${digest.slice(0, 4)}` : text);
  }
  return spots;
};
const placeChoices = (places) => places.map((place) => [place, corpusText(place)]);
