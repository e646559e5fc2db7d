// Elements made of attributes and text. Text is only ever set as text: nothing from a table is read as markup.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const clean = (text) => String(text).replace(HIDDEN, "\ufffd");

const h = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "href" && !value.startsWith("#")) throw new Error(`a link out of the page: ${value}`);
    else element.setAttribute(name, value === true ? "" : clean(value));
  }
  fill(element, children);
  return element;
};

const fill = (element, children) => {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : clean(child));
  }
};

const empty = (element, ...children) => {
  element.replaceChildren();
  fill(element, children);
  return element;
};

// A list of names and what they are; whatever is null is left out.
const facts = (pairs) =>
  h("dl", { class: "facts" }, Object.entries(pairs)
    .filter(([, value]) => value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && !value.length))
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

let lastId = 0;
const freshId = (stem) => `${stem}-${++lastId}`;

// A choice with its label; choices are texts, or pairs of value and text.
const select = (label, id, choices, chosen, change) => {
  const options = choices.map((choice) => {
    const [value, text] = Array.isArray(choice) ? choice : [choice, choice];
    return h("option", { value, selected: value === chosen }, text.length > 60 ? `${text.slice(0, 59)}…` : text);
  });
  const field = h("select", { id, change: () => change(field.value) }, options);
  return h("label", { class: "field" }, h("span", {}, label), field);
};

const section = (title, ...content) => {
  const id = freshId("title");
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), content);
};

const note = (...content) => h("p", { class: "note" }, content);
