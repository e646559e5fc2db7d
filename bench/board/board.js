"use strict";
// Sorts a table by the column whose heading was pressed. Numbers come from data-sort, text from the cell; cells that
// are empty there stay at the end in both directions. Equal rows keep their order.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
  };
  const compare = (a, b, numeric) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true }));
  const sort = (column) => {
    const ascending = headings[column].getAttribute("aria-sort") !== "ascending";
    const numeric = headings[column].classList.contains("number");
    const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      return compare(a, b, numeric) * (ascending ? 1 : -1) || 0;
    });
    for (const heading of headings) heading.removeAttribute("aria-sort");
    headings[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  headings.forEach((heading, column) => heading.querySelector("button")?.addEventListener("click", () => sort(column)));
}
