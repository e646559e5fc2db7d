// How much of a model was on: its gates by block, and while somebody speaks or nobody does.
const gateFigure = (pages, names) => {
  const values = pages.flatMap(([cell, page]) => (page.gates ?? []).map(([name, mean, low, high, n]) => ({ name, mean, low, high, n, label: clean(names.name(cell)), ...gatePlace(name) })).filter((gate) => gate.kind));
  if (!values.length) return null;
  const heat = { x: { field: "block", type: "ordinal", title: "block", axis: { labelAngle: 0 } }, y: nominal("kind") };
  return figure("Share of each gate that was on, by kind and block", {
    data: { values }, width: undefined, autosize: undefined, columns: 2, facet: { field: "label", type: "nominal", title: null, header: { labelColor: INK, labelFont: FONT, labelLimit: 330, labelFontSize: 11 } },
    spec: { width: 330, height: { step: 34 }, layer: [
      { mark: "rect", encoding: { ...heat, color: quantity("mean", "share on", { scale: { scheme: "blues", domain: [0, 1] } }), tooltip: ["name", "mean", "low", "high", "n"].map((field) => ({ field })) } },
      { mark: { type: "text", fontSize: 11 }, encoding: { ...heat, text: quantity("mean", null, { format: ".2f" }), color: { condition: { test: "datum.mean > 0.55", value: "#fff" }, value: "#1a1a1a" } } },
    ] },
  }, "By block: mean over the recordings; 1.00 computes everything.");
};
const gatePlace = (name) => { const found = name.match(/^gate_rate_(\w+?)_(\d+)(?:_(\d+))?$/); return found ? { kind: found[1] + (found[3] ? ` head ${found[3]}` : ""), block: Number(found[2]) } : {}; };

// Kinds of gates over loud and over quiet frames, as measured: the scheme `level`, cohorts such as "loud ffn".
const levelFigure = (measured, names) => {
  const values = measured.flatMap(([cell, rows]) => rows.map((row) => { const [level, ...kind] = row.cohort.split(" "); return { level: clean(level), kind: clean(kind.join(" ")), on: row.value, label: clean(names.name(cell)), href: numberAddress(row) }; }));
  if (!values.length) return null;
  const y = nominal("kind"), x = { scale: { domain: [0, 1] } };
  return figure("Share of each kind of gate that was on over loud and over quiet frames", {
    data: { values }, width: undefined, autosize: undefined, columns: 2, facet: { field: "label", type: "nominal", title: null, header: { labelColor: INK, labelFont: FONT, labelLimit: 300, labelFontSize: 11 } },
    spec: { width: 300, height: { step: 30 }, layer: [
      { mark: { type: "line", color: INK, opacity: 0.4, strokeWidth: 2 }, encoding: { y, x: quantity("on", "share on", x), detail: { field: "kind" } } },
      { mark: { type: "point", filled: true, size: 90, opacity: 1, cursor: "pointer" }, encoding: { y, x: quantity("on", "share on", x), color: nominal("level", { scale: { domain: ["loud", "quiet"] } }), shape: nominal("level", { scale: { domain: ["loud", "quiet"] } }), tooltip: [{ field: "label" }, { field: "kind" }, { field: "level" }, quantity("on", "share on", { format: ".3f" })] } },
    ] },
  }, "Over frames in which something is heard and those in which hardly anything is. Far apart: the model listens before it computes.");
};

const gateSection = async (pages, names) => {
  const measured = await Promise.all(pages.map(async ([cell]) => [cell, (await loadRun(board.cells.at.run(cell))).of(cell, "level").filter((row) => row.value !== null)]));
  const drawn = [gateFigure(pages, names), levelFigure(measured, names)].filter(Boolean);
  return drawn.length ? section("Gates", drawn) : null;
};
