// The address says everything that a view shows: #/view/part/part?name=value. Whatever is chosen goes there.
const address = (view, parts = [], params = {}) => {
  const path = [view, ...parts].map(encodeURIComponent).join("/");
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  return `#/${path}${String(query) ? `?${query}` : ""}`;
};

const decoded = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

const here = () => {
  const [path, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, ...parts] = path.split("/").map(decoded);
  return { view: view || "overview", parts, params: Object.fromEntries(new URLSearchParams(query ?? "")) };
};

// Change some choices of this view: the address follows, without a step in the browser's history for every key.
const choose = (changes) => {
  const { view, parts, params } = here();
  history.replaceState(null, "", address(view, parts, { ...params, ...changes }));
  show();
};
