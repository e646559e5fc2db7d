// Drawings by Vega-Lite, loaded when the first one is wanted. Text and axes take the color of the page around them.
const PALETTE = ["#2f7fc1", "#d55e00", "#159a76", "#c765a0", "#b08600", "#7a6fd0", "#5f9ea0", "#a0603a", "#8a8f98", "#c0392b", "#6b8e23", "#3fa9d6"];
const INK = "currentColor";
const FONT = "system-ui, sans-serif";
const AXIS = {
  labelColor: INK, titleColor: INK, labelFont: FONT, titleFont: FONT, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
  labelLimit: 240, gridColor: INK, gridOpacity: 0.12, domainColor: INK, domainOpacity: 0.4, tickColor: INK, tickOpacity: 0.4, titlePadding: 8,
};
const LOOK = {
  font: FONT, background: "transparent", aria: false, axis: AXIS, axisXQuantitative: { tickCount: 8, labelFlush: false }, axisTemporal: { tickCount: 8, labelFlush: false }, view: { stroke: null }, range: { category: PALETTE },
  legend: { labelColor: INK, titleColor: INK, labelFont: FONT, titleFont: FONT, labelFontSize: 12, titleFontSize: 12, labelLimit: 320, orient: "bottom", columns: 2 },
};

let drawing;
const library = () => (drawing ??= addScript("vega.js"));

const hover = () => {
  const box = document.getElementById("hover") ?? document.body.appendChild(h("div", { id: "hover", role: "tooltip", hidden: true }));
  return (_handler, event, _item, value) => {
    box.hidden = !value;
    if (!value) return;
    empty(box, typeof value === "object" ? Object.entries(value).map(([name, text]) => h("div", {}, h("b", {}, name), " ", text)) : value);
    box.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8))}px`;
  };
};

// A drawing that is described for those who can't see it; a mark with `href` leads there.
const figure = (label, spec, caption) => {
  const place = h("div", { class: "plot", role: "img", "aria-label": label });
  const holder = h("figure", {}, place, caption ? h("figcaption", {}, caption) : null);
  const whole = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", description: label, width: "container", autosize: { type: "fit-x", contains: "padding" }, ...spec };
  const draw = async () => {
    await library();
    const found = await window.vegaEmbed(place, whole, { ast: true, actions: false, renderer: "svg", logLevel: 1, config: LOOK, tooltip: hover() });
    found.view.addEventListener("click", (_event, item) => { if (item?.datum?.href?.startsWith("#")) location.hash = item.datum.href; });
    // The whole is described as one picture: its parts say nothing by themselves.
    for (const part of place.querySelectorAll("[role], [aria-roledescription]")) for (const name of ["role", "aria-roledescription", "aria-label"]) part.removeAttribute(name);
    place.dataset.drawn = "yes";
  };
  later.push(() => draw().catch((error) => empty(place, note(`This could not be drawn: ${error.message}`))));
  return holder;
};
// What has to wait until a view is in the document, where widths are known.
const later = [];

const quantity = (field, title, more = {}) => ({ field, type: "quantitative", title, ...more });
const nominal = (field, more = {}) => ({ field, type: "nominal", title: null, ...more });
// A measurement's value and interval in the unit of an axis; without an interval its ends are the value.
const ends = (row, axis) => ({
  [axis]: scaled(row.metric, row.value), [`${axis}_low`]: scaled(row.metric, row.ci_low ?? row.value), [`${axis}_high`]: scaled(row.metric, row.ci_high ?? row.value),
});
