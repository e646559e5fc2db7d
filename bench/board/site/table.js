// A table of any length: sorted by its headings, and only the rows on the screen are in the document (TanStack Virtual).
const ROW_PX = 44;
const PLAIN_ROWS = 60;
// A phone, on which a number should stand beside its name.
const NARROW = matchMedia("(max-width: 40rem)");
const NARROW_CH = 16;

// Numbers to sort by: missing ones are NaN, texts count in the order of the alphabet.
const sortKeys = (rows, read) => {
  const values = rows.map(read);
  const keys = new Float64Array(rows.length);
  const texts = [...new Set(values.filter((value) => typeof value === "string"))].sort(COLLATOR.compare);
  const ranks = new Map(texts.map((text, rank) => [text, rank]));
  for (let at = 0; at < keys.length; at++) {
    const value = values[at];
    keys[at] = typeof value === "string" ? ranks.get(value) : value === null || value === undefined ? NaN : value;
  }
  return keys;
};
const COLLATOR = new Intl.Collator("en", { numeric: true });

// Places of rows by key, equal ones in their order: rows are counted into the ranks of their keys, as comparing
// a hundred thousand in a function takes too long. What is missing comes last in both directions.
const sortedPlaces = (keys, descending) => {
  const known = [], missing = [];
  for (let at = 0; at < keys.length; at++) (Number.isNaN(keys[at]) ? missing : known).push(at);
  const levels = Float64Array.from(known, (at) => keys[at]).sort().filter((key, at, all) => at === 0 || key !== all[at - 1]);
  const ranks = Uint32Array.from(known, (at) => rankOf(levels, keys[at]));
  const starts = new Uint32Array(levels.length + 1);
  const slot = (rank) => (descending ? levels.length - 1 - rank : rank);
  for (const rank of ranks) starts[slot(rank) + 1]++;
  for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1];
  const places = new Array(known.length);
  for (let at = 0; at < known.length; at++) places[starts[slot(ranks[at])]++] = known[at];
  return places.concat(missing);
};
const rankOf = (levels, key) => {
  let low = 0, high = levels.length - 1;
  while (low < high) { const middle = (low + high) >> 1; if (levels[middle] < key) low = middle + 1; else high = middle; }
  return low;
};

class Grid {
  // Rows for which `last` is true stay below the others.  columns: {key, title, hint, number, read(row) to sort by, text(row), node(row), raw(row) of exact values}
  constructor({ columns, rows, caption, sort, onSort, rowClass, last }) {
    Object.assign(this, { columns, rows, caption, onSort, rowClass, last });
    this.sort = sort ?? {};
    this.keys = new Map();
    this.build();
    this.arrange();
  }

  build() {
    this.many = this.rows.length > PLAIN_ROWS;
    this.heads = this.columns.map((column) => this.heading(column));
    this.body = h("tbody");
    this.above = h("tbody", { "aria-hidden": "true", class: "space" });
    this.below = h("tbody", { "aria-hidden": "true", class: "space" });
    const wide = this.many ? this.columns.map((column) => this.width(column)) : [];
    const widths = this.many ? h("colgroup", {}, wide.map((width) => h("col", { style: { width: `${width}ch` } }))) : null;
    this.table = h("table", { class: this.many ? "many" : "few", "aria-rowcount": this.rows.length + 1 },
      h("caption", { class: "unseen" }, this.caption), widths, h("thead", {}, h("tr", { "aria-rowindex": 1 }, this.heads)), this.above, this.body, this.below);
    if (this.many) this.table.style.width = `max(100%, ${wide.reduce((sum, width) => sum + width, 0)}ch)`;
    this.scroller = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": this.caption }, this.table);
    this.element = this.scroller;
    if (this.many) this.virtualize();
  }

  heading(column) {
    const sorted = () => this.sortBy(column.key, this.sort.key === column.key ? !this.sort.descending : Boolean(column.better === "higher"));
    const button = column.read ? h("button", { type: "button", title: column.hint, click: sorted, id: `sort-${column.key}` }, column.title, h("span", { "aria-hidden": "true" })) : column.title;
    return h("th", { scope: "col", class: column.number ? "number" : null }, button);
  }

  width(column) {
    const sample = this.rows.slice(0, 150).map((row) => column.text(row).length);
    return Math.min(NARROW.matches ? NARROW_CH : Infinity, column.widest ?? 30, Math.max(column.title.length + 3, ...sample)) + 3.5;
  }

  virtualize() {
    const { Virtualizer, observeElementRect, observeElementOffset, elementScroll } = TanStackVirtual;
    this.scroller.classList.add("tall");
    this.virtual = new Virtualizer({
      count: this.rows.length, getScrollElement: () => this.scroller, estimateSize: () => ROW_PX, overscan: 12,
      initialRect: { width: 800, height: 700 }, scrollToFn: elementScroll, observeElementRect, observeElementOffset,
      onChange: () => this.draw(),
    });
  }

  // Called when the table is in the document, so that its height is known.
  mounted() {
    if (!this.virtual) return;
    this.virtual._didMount();
    this.virtual._willUpdate();
    this.draw();
  }

  sortBy(key, descending) {
    const started = performance.now();
    this.sort = { key, descending };
    this.arrange();
    this.scroller.scrollTop = 0;
    this.sortedInMs = performance.now() - started;
    this.onSort?.(this.sort);
  }

  arrange() {
    const column = this.columns.find((one) => one.key === this.sort.key);
    if (column?.read) {
      if (!this.keys.has(column.key)) this.keys.set(column.key, sortKeys(this.rows, column.read));
      this.order = sortedPlaces(this.keys.get(column.key), this.sort.descending);
    } else this.order = this.rows.map((_, place) => place);
    if (this.last) this.order = [false, true].flatMap((end) => this.order.filter((place) => this.last(this.rows[place]) === end));
    this.columns.forEach((one, place) => {
      if (one === column) this.heads[place].setAttribute("aria-sort", this.sort.descending ? "descending" : "ascending");
      else this.heads[place].removeAttribute("aria-sort");
    });
    this.draw();
  }

  draw() {
    if (!this.virtual) {
      this.body.replaceChildren(...this.order.map((place, at) => this.line(place, at)));
      return;
    }
    const items = this.virtual.getVirtualItems();
    const first = items[0]?.index ?? 0, last = items.at(-1)?.index ?? -1;
    this.pad(this.above, first);
    this.pad(this.below, this.rows.length - 1 - last);
    this.body.replaceChildren(...items.map((item) => this.line(this.order[item.index], item.index)));
  }

  pad(part, n) {
    part.replaceChildren(...(n > 0 ? [h("tr", {}, h("td", { colspan: this.columns.length, style: { height: `${n * ROW_PX}px` } }))] : []));
  }

  line(place, at) {
    const row = this.rows[place];
    const cells = this.columns.map((column, n) => {
      const inside = column.node?.(row) ?? wrapped(column.text(row));
      const title = this.many && !column.node ? column.text(row).slice(0, 2000) : null;
      return n ? h("td", { class: column.number ? "number" : column.style, title }, inside) : h("th", { scope: "row", title }, inside);
    });
    return h("tr", { class: this.rowClass?.(row), "aria-rowindex": at + 2 }, cells);
  }

  // Exact values for downloads, in the order on the screen.
  records() {
    return this.order.map((place) => Object.assign({}, ...this.columns.map((column) => column.raw?.(this.rows[place]) ?? { [column.key]: column.text(this.rows[place]) })));
  }
}

// Long text gets a box of its own, so that one name can't push a table apart.
const wrapped = (text) => (text.length > 60 ? h("span", { class: "long" }, text) : text);

const mounted = [];
// A table with its downloads; `name` begins the file names.
const tableOf = (options, name) => {
  const grid = new Grid(options);
  mounted.push(grid);
  const n = options.rows.length;
  return h("div", { class: "table" }, grid.element, h("div", { class: "under" }, h("span", {}, `${count(n)} ${n === 1 ? "row" : "rows"}`), downloads(name, () => grid.records())));
};

// Columns of plain text and numbers.
const textColumn = (key, title, read, more = {}) => ({ key, title, read: (row) => read(row) || null, text: (row) => String(read(row) ?? ""), ...more });
const numberColumn = (key, title, read, write = count, more = {}) => ({
  key, title, number: true, read, text: (row) => { const value = read(row); return value === null || value === undefined ? NOTHING : write(value); },
  raw: (row) => ({ [key]: read(row) ?? null }), ...more,
});
