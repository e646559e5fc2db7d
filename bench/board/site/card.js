// The card of a model: trees of elements made when the page was built, of which only plain ones are shown.
const SHOWN = new Set(["p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"]);
const LOWER = { h2: "h3", h3: "h4", h4: "h5", h5: "h6" };

// The title stands above already; other headings are below that of the section.
const cardNode = (tree, title) => {
  if (typeof tree === "string") return tree;
  const [name, ...inside] = tree, nodes = () => inside.map((one) => cardNode(one, title));
  if (name === "h1") return null;
  if (name === "table") return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `A table of the card of ${title}` }, h("table", { class: "few" }, nodes()));
  const tag = LOWER[name] ?? name;
  return SHOWN.has(tag) ? h(tag, tag === "pre" ? { tabindex: "0" } : {}, nodes()) : nodes();
};

const cardSection = async (name) => {
  if (!board.cards.includes(name)) return null;
  const { card } = await loadPage(`card-${name}`);
  return section("Card", h("details", { class: "card" }, h("summary", {}, `What ${name} is, its options, and what was found with it`), note("As installed when this page was built, which may be after it was measured."), card.map((tree) => cardNode(tree, name))));
};
