// Numbers as the terminal writes them (bench/formatting.py): units stand in headings, intervals share the value's digits.
const NOTHING = "–";
const WORDS = { unbounded: "∞", out_of_memory: "out of memory" };
const POWERS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

const three = (amount) => {
  const text = amount.toPrecision(3);
  return text.includes("e") ? text.replace(/e([+-])(\d)$/, "e$10$2") : text;
};
const powers = (amount) => {
  for (const [power, letter] of POWERS) if (Math.abs(amount) >= power) return `${three(amount / power)} ${letter}`;
  return String(Number(amount.toPrecision(3)));
};
const digits = (metric, amount, guide) => {
  switch (board.metrics[metric]?.form) {
    case "ms": return amount.toFixed(Math.abs(guide) >= 100 ? 0 : 1);
    case "MiB": return amount.toFixed(0);
    case "powers": return powers(amount);
    case "ratio": return amount.toFixed(2);
    case "plain": return three(amount);
    default: return (100 * amount).toFixed(Math.abs(guide) >= 0.0995 ? 1 : 2);
  }
};
const statusWord = (status) => WORDS[status] ?? status;
const valueText = (row) => {
  if (!row) return NOTHING;
  return row.value === null ? statusWord(row.status) : digits(row.metric, row.value, row.value);
};
const intervalText = (row) => {
  if (!row || row.value === null || row.ci_low === null || row.ci_high === null) return "";
  return `[${digits(row.metric, row.ci_low, row.value)}, ${digits(row.metric, row.ci_high, row.value)}]`;
};
const metricTitle = (metric) => board.metrics[metric]?.title ?? metric;
const metricUnit = (metric) => board.metrics[metric]?.unit ?? "";
const withUnit = (metric) => `${metricTitle(metric)} ${metricUnit(metric)}`.trim();
// What an axis counts in: percent where the metric is a share.
const scaled = (metric, amount) => (amount === null || amount === undefined ? null : metricUnit(metric) === "%" ? 100 * amount : amount);
const count = (n) => (n === null || n === undefined ? NOTHING : n.toLocaleString("en-US"));
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const chip = (text, kind, title) => h("span", { class: `chip ${kind ?? ""}`, title }, text);
// Names of columns and remarks as words.
const spaced = (name) => clean(name).replaceAll("_", " ");
const statusChip = (status) => chip(statusWord(status), `status ${status}`);
