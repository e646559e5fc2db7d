// What a view shows, as files: JSON with exact values, CSV whose texts no spreadsheet takes for a formula.
const csvField = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return typeof value === "object" ? csvField(JSON.stringify(value)) : String(value);
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
};
const toCsv = (records) => {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return [names, ...records.map((record) => names.map((name) => record[name]))].map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
};
const save = (name, text, type) => {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "-").slice(0, 80);
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
};
const downloads = (name, records) =>
  h("span", { class: "downloads" },
    h("button", { type: "button", click: () => save(`${name}.csv`, toCsv(records()), "text/csv") }, "CSV", h("span", { class: "unseen" }, ` of ${name}`)),
    h("button", { type: "button", click: () => save(`${name}.json`, JSON.stringify(records(), null, 1), "application/json") }, "JSON", h("span", { class: "unseen" }, ` of ${name}`)));
