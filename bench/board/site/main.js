// Which view the address asks for, and keeping the reader's place when a choice changes it.
const VIEWS = { overview: ["Overview", overview], tradeoffs: ["Trade-offs", tradeoffs], fairness: ["Fairness", fairness], model: ["Models", modelView], history: ["History", historyView], compare: ["Compare", compareView], numbers: ["Numbers", numbersView], number: [null, numberView], run: [null, runView] };
const content = document.getElementById("main");
let turn = 0;
let shownView = "";

const show = async () => {
  const mine = ++turn;
  const asked = here();
  const [, draw] = VIEWS[asked.view] ?? VIEWS.overview;
  const held = { id: document.activeElement?.id, top: scrollY, from: document.activeElement?.selectionStart };
  later.length = mounted.length = 0;
  let parts;
  try {
    parts = await draw(asked);
  } catch (error) {
    parts = [h("h1", {}, "This view can’t be drawn"), note(error.message)];
  }
  if (mine !== turn) return;
  empty(content, parts);
  document.title = `${content.querySelector("h1")?.textContent.slice(0, 80) ?? "results"} – earmark`;
  for (const grid of mounted) grid.mounted();
  for (const job of later.splice(0)) job();
  keepPlace(asked, held);
  await drawer(asked);
  document.documentElement.dataset.shown = location.hash || "#/";
};

// Within a view the focus and the scroll stay; a new view begins at its top.
const keepPlace = (asked, held) => {
  const name = [asked.view, ...asked.parts].join("/");
  const before = held.id ? document.getElementById(held.id) : null;
  if (name === shownView) {
    scrollTo(0, held.top);
    before?.focus({ preventScroll: true });
    if (held.from !== null && before?.type === "search") before.setSelectionRange(held.from, held.from);
  } else if (shownView) {
    scrollTo(0, 0);
    content.focus({ preventScroll: true });
  }
  shownView = name;
  empty(document.getElementById("views"), Object.entries(VIEWS).filter(([, [title]]) => title).map(([view, [title]]) => h("a", { href: address(view), "aria-current": view === asked.view ? "page" : null }, title)));
};

openBoard().then(() => {
  addEventListener("hashchange", show);
  return show();
}).catch((error) => empty(content, h("h1", {}, "The tables can’t be read"), note(error.message)));
