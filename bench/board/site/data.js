// Pages of data come by script tags, as a page opened from a disk may load nothing else. Columns are plain lists,
// constants ({c}) or places in a list of distinct values ({d, i}).
const FOLDER = document.documentElement.dataset.folder;
const waiting = new Map();

window.earmarkPage = (name, data) => waiting.get(name)?.give(data);

const addScript = (file) =>
  new Promise((give, fail) => {
    const element = document.createElement("script");
    element.src = `${FOLDER}/${encodeURIComponent(file)}`;
    element.onload = give;
    element.onerror = () => fail(new Error(`${file} can't be read: is the folder ${FOLDER} beside this page?`));
    document.head.append(element);
  });

const loadPage = (name) => {
  if (!waiting.has(name)) {
    const held = {};
    held.promise = new Promise((give) => { held.give = give; });
    waiting.set(name, held);
    held.done = addScript(`${name}.js`).then(() => held.promise);
  }
  return waiting.get(name).done;
};

const reader = (column) => {
  if (Array.isArray(column)) return (row) => column[row];
  if ("c" in column) return () => column.c;
  return (row) => column.d[column.i[row]];
};

class Table {
  constructor(raw, n) {
    this.n = n;
    this.at = {};
    for (const [name, column] of Object.entries(raw)) if (typeof column === "object") this.at[name] = reader(column);
  }
  row(place) {
    const row = {};
    for (const name in this.at) row[name] = this.at[name](place);
    return row;
  }
}

// The tables that every view begins with, filled once by `open`.
const board = {};

const openBoard = async () => {
  const index = await loadPage("index");
  Object.assign(board, index);
  board.cells = new Table(index.cells, index.cells.cell.length);
  board.overall = new Table(index.numbers, index.numbers.n_rows);
  board.metricNames = Object.keys(index.metrics);
  const codes = new Map(board.metricNames.map((name, place) => [name, place]));
  board.found = new Map();
  const { cell, metric } = board.overall.at;
  for (let row = 0; row < board.overall.n; row++) board.found.set(codes.get(metric(row)) * board.cells.n + cell(row), row);
  board.codes = codes;
  board.standing = new Map(index.standings.map((one) => [codes.get(one[1]) * board.cells.n + one[0], one]));
  board.runPlaces = new Map(index.runs.map((run, place) => [run.run_id, place]));
};

// The measurement of a metric over everybody, as a place in the table; undefined where there is none.
const overallPlace = (cell, metric) => board.found.get(board.codes.get(metric) * board.cells.n + cell);
const overallOf = (cell, metric) => {
  const place = overallPlace(cell, metric);
  return place === undefined ? null : board.overall.row(place);
};
const standingOf = (cell, metric) => board.standing.get(board.codes.get(metric) * board.cells.n + cell);

// A run's cohorts and pictures, with an index by cell and scheme.
const runs = new Map();
const loadRun = (place) => {
  if (!runs.has(place)) {
    runs.set(place, loadPage(`run-${board.runs[place].run_id}`).then((page) => {
      const table = new Table(page.numbers, page.numbers.n_rows);
      const by = new Map();
      for (let row = 0; row < table.n; row++) {
        const key = `${table.at.cell(row)} ${table.at.scheme(row)}`;
        if (!by.has(key)) by.set(key, []);
        by.get(key).push(row);
      }
      return { table, schemes: page.schemes, weights: page.weights, of: (cell, scheme) => (by.get(`${cell} ${scheme}`) ?? []).map((row) => table.row(row)) };
    }));
  }
  return runs.get(place);
};
const loadCell = async (cell) => {
  const page = board.cells.at.page(cell);
  return page ? loadPage(page.slice(0, -3)) : {};
};
