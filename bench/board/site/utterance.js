// The recordings behind a number, and the drawer of one of them: aligned, its errors colored, its words in time.
const stepNames = { E: "equal", S: "substituted", D: "deleted", I: "inserted" };

// Pairs of words and the step between them; a side without a word is null.
const alignment = (reference, hypothesis, steps) => {
  const said = reference.split(/\s+/).filter(Boolean), heard = hypothesis.split(/\s+/).filter(Boolean);
  let r = 0, t = 0;
  return [...steps].map((step) => ({ step, reference: step === "I" ? null : said[r++], hypothesis: step === "D" ? null : heard[t++] }));
};

const utteranceAddress = (cell, id) => { const { view, parts, params } = here(); return address(view, parts, { ...params, utterance: `${runOf(cell).run_id}~${board.cells.at.cell(cell)}~${id}` }); };

const recordingsOf = async (cell) => {
  const page = await loadCell(cell);
  if (page.utterances) return section("Utterances", utteranceTable(cell, page.utterances));
  if (page.det) return [section("Detection error trade-off", detFigure([[cellText(cell, "label"), page]]), scoreFigure(page)), cohortPictures(page, here().params.cohorts), section("Trials that went most wrong", trialTable(page))];
  return section("Utterances", note("No observations are stored for this cell."));
};

const utteranceTable = (cell, told) => {
  const speaker = reader(told.speaker), outcome = reader(told.outcome);
  const rows = told.id.map((id, at) => ({ id, at }));
  const text = (key, title, read) => textColumn(key, title, read, { widest: 46 });
  return [
    told.n > rows.length ? note(`The ${count(rows.length)} with most errors of ${count(told.n)}; the stored observations have them all.`) : null,
    tableOf({
      caption: `Utterances of ${cellText(cell, "label")}`, rows, sort: {},
      columns: [
        textColumn("utterance", "utterance", (row) => row.id, { node: (row) => h("a", { href: utteranceAddress(cell, row.id), title: row.id }, row.id) }),
        textColumn("speaker", "speaker", (row) => speaker(row.at)),
        ...(told.orc ? [numberColumn("orc", "ORC errors", (row) => told.orc[row.at])] : []),
        numberColumn("errors", told.orc ? "errors in one line" : "errors", (row) => told.errors[row.at]), numberColumn("words", "words", (row) => told.words[row.at]),
        text("reference", "reference", (row) => told.reference[row.at]), text("hypothesis", "hypothesis", (row) => told.hypothesis[row.at]),
        textColumn("outcome", "outcome", (row) => outcome(row.at)),
      ],
    }, "earmark-utterances"),
  ];
};

const wordPair = ({ step, reference, hypothesis }) =>
  h("span", { class: `pair step-${step}`, title: stepNames[step] }, h("span", {}, reference ?? h("span", { "aria-label": "nothing" }, "∅")), h("span", {}, step === "E" ? hypothesis : [h("b", { "aria-label": stepNames[step] }, step, " "), hypothesis ?? "∅"]));

// Spoken words as bars, final words where the model showed them, on one axis of seconds.
const timeline = (told, at) => {
  const words = told.spoken[at].map(([word, start, end]) => ({ word: clean(word).slice(0, 40), start, end, lane: "spoken", middle: (start + end) / 2 }));
  const turns = (told.turns?.[told.id[at]] ?? []).map(([speaker, channel, start, end, text]) => ({ word: clean(speaker ?? ""), start, end, lane: `turns, channel ${channel}`, middle: (start + end) / 2, text: clean(text ?? "") }));
  const channels = new Set(told.said[at].map((word) => word[3]));
  const shown = told.said[at].map(([word, audio, there, channel]) => ({ word: clean(word).slice(0, 40), there, heard: audio, lane: channels.size > 1 ? `shown, channel ${channel}` : "shown" }));
  if (!shown.length && !words.length && !turns.length) return note("No times are stored for this recording.");
  const x = quantity("start", "seconds of the stream", { scale: { domain: [0, Math.max(told.audio_s[at], ...shown.map((word) => word.there ?? 0)) * 1.02], nice: false } });
  const y = nominal("lane", { sort: null, axis: { labelLimit: 120, title: null } });
  const long = Math.max(...words.map((word) => word.word.length), ...shown.map((word) => word.word.length), 1) > 3;
  return figure("When each word was spoken and when it was shown; the times are in the table below", {
    height: { step: long ? 84 : 60 }, width: Math.max(560, 58 * Math.max(words.length, shown.length)), autosize: { type: "pad" },
    layer: [
      { data: { values: [...turns, ...words] }, mark: { type: "bar", height: 18, opacity: 0.35, stroke: INK, strokeOpacity: 0.5, color: PALETTE[0] }, encoding: { x, x2: { field: "end" }, y, tooltip: [{ field: "word" }, { field: "start" }, { field: "end" }] } },
      { data: { values: [...turns, ...words] }, mark: { type: "text", fontSize: 12, angle: long ? -35 : 0, color: INK, align: long ? "left" : "center", dy: long ? -12 : -16 }, encoding: { x: quantity("middle", "seconds of the stream"), y, text: nominal("word") } },
      { data: { values: shown }, mark: { type: "tick", thickness: 3, size: 26, color: PALETTE[1] }, encoding: { x: quantity("there", "seconds of the stream"), y, tooltip: [{ field: "word" }, { field: "there", title: "shown at" }, { field: "heard", title: "audio heard, as the model says" }] } },
      { data: { values: shown }, mark: { type: "text", fontSize: 12, angle: long ? -35 : 0, color: INK, align: long ? "left" : "center", dy: long ? -16 : -20 }, encoding: { x: quantity("there", "seconds of the stream"), y, text: nominal("word") } },
    ],
  }, `Bars: when a ${turns.length ? "turn" : "word"} was spoken. Strokes: when a word was there for good, on the stream’s own clock.`);
};

const timesTable = (told, at) => tableOf({
  caption: "Times of words", sort: {},
  rows: [...told.spoken[at].map(([word, start, end]) => ({ lane: "spoken", word, start, end })), ...told.said[at].map(([word, heard, there, channel]) => ({ lane: `shown${channel ? `, channel ${channel}` : ""}`, word, heard, there }))],
  columns: [textColumn("what", "what", (row) => row.lane), textColumn("word", "word", (row) => row.word), ...[["start", "begins s"], ["end", "ends s"], ["heard", "audio heard s"], ["there", "shown at s"]].map(([key, title]) => numberColumn(key, title, (row) => row[key], (amount) => amount.toFixed(3)))],
}, "earmark-words");

const utteranceBody = (cell, told, at) => {
  const pairs = alignment(told.reference[at], told.hypothesis[at], told.steps[at]);
  const grid = h("details", {}, h("summary", {}, "Times as a table"), timesTable(told, at));
  return [
    facts({ model: namesOf(rivalsOf(cell)).name(cell), "measured on": corpusText(placeName(cell)), speaker: reader(told.speaker)(at), "length": `${told.audio_s[at].toFixed(2)} s`, errors: told.orc ? `${told.orc[at] ?? "unknown"} in ${told.words[at]} words, turns assigned to channels as fits best` : `${told.errors[at]} in ${told.words[at]} words`, outcome: reader(told.outcome)(at) }),
    h("h3", {}, "Reference above, hypothesis below"), told.orc ? note("All turns in one line, in order of their start, against all channels: it shows what was heard, and is not how errors are counted.") : null, h("p", { class: "aligned" }, pairs.length ? pairs.map(wordPair) : "Nothing was said and nothing heard."),
    h("p", { class: "note" }, ["S", "D", "I"].map((step) => [h("span", { class: `pair step-${step}` }, h("b", {}, step)), ` ${stepNames[step]} `])),
    h("h3", {}, "In time"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Words in time" }, timeline(told, at)), grid,
    h("h3", {}, "The same recording, other models"), otherModels(cell, told.id[at]),
  ];
};

// Cells of the same run that heard recordings of the same corpus and split.
const rivalsOf = (cell) => everyCell((one) => ["run", "corpus", "split", "task"].every((axis) => board.cells.at[axis](one) === board.cells.at[axis](cell)) && board.cells.at.page(one));
const otherModels = (cell, id) => {
  const all = rivalsOf(cell), names = namesOf(all), others = all.filter((one) => one !== cell);
  const several = new Set(all.map((one) => cellText(one, "condition"))).size > 1;
  return others.length ? h("ul", {}, others.map((one) => h("li", {}, h("a", { href: utteranceAddress(one, id) }, names.name(one), several ? ` · ${cellText(one, "condition")}` : "")))) : note("None in this run.");
};

// The drawer over the view, asked for by `utterance=run~cell~id`.
let opener = null;
const drawer = async ({ view, parts, params }) => {
  const old = document.getElementById("drawer");
  if (!params.utterance) {
    if (old) { old.close(); old.remove(); document.getElementById(opener)?.focus(); }
    return;
  }
  const [run, key, ...rest] = params.utterance.split("~");
  const cell = findCell(run, key), id = rest.join("~");
  const told = cell < 0 ? null : (await loadCell(cell)).utterances;
  const at = told ? told.id.indexOf(id) : -1;
  const close = () => { location.hash = address(view, parts, { ...params, utterance: null }); };
  old?.remove();
  const box = h("dialog", { id: "drawer", "aria-labelledby": "drawer-title", cancel: (event) => { event.preventDefault(); close(); } },
    h("div", { class: "head" }, h("h2", { id: "drawer-title", tabindex: "-1" }, id), h("button", { type: "button", class: "close", click: close, "aria-label": "Close" }, "✕")),
    at < 0 ? note("This recording is not among those told of this cell.") : utteranceBody(cell, told, at));
  document.body.append(box);
  box.showModal();
  box.querySelector("h2").focus();
  for (const grid of mounted) if (box.contains(grid.element)) grid.mounted();
  for (const job of later.splice(0)) job();
};
