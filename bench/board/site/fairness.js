// Cohorts, gaps, maps and repairs of one place of measurement.
// Up to so many models stand side by side in each cohort; of more, cohorts stand side by side in each model.
const SIDE_BY_SIDE = 8;
const MOST_BARS = 160;
const cohortFigure = (rows, headline, names) => {
  const values = rows.filter((row) => row.value !== null).map((row) => ({ ...ends(row, "x"), cohort: clean(row.cohort), label: clean(names.name(row.cell)), enough: row.status === "ok", n: `${count(row.n_speakers)} speakers`, said: `${valueText(row)} ${intervalText(row)}`, href: numberAddress(row) }));
  if (!values.length || values.length > MOST_BARS) return null;
  const n = (field) => new Set(values.map((value) => value[field])).size;
  const [group, inside] = n("label") > SIDE_BY_SIDE && n("cohort") <= SIDE_BY_SIDE ? ["label", "cohort"] : ["cohort", "label"];
  const y = nominal(group, { sort: { field: "x", op: "max", order: "descending" }, axis: { labelLimit: 300 } });
  const shared = { y, yOffset: { field: inside, type: "nominal" }, color: nominal(inside, { legend: n(inside) > 1 ? { symbolOpacity: 1 } : null }), opacity: { condition: { test: "datum.enough", value: 1 }, value: 0.35 } };
  return figure("The error rate of every cohort with its interval; the numbers are in the table below", {
    data: { values }, height: Math.max(26, 13 * n(inside)) * n(group),
    layer: [
      { mark: { type: "bar", opacity: 0.25 }, encoding: { ...shared, opacity: undefined, x: quantity("x", withUnitIn(headline), { scale: { zero: true } }) } },
      { mark: { type: "rule", strokeWidth: 2 }, encoding: { ...shared, x: quantity("x_low"), x2: { field: "x_high" } } },
      { mark: { type: "point", filled: true, size: 50, cursor: "pointer" }, encoding: { ...shared, x: quantity("x"), tooltip: [{ field: "label", title: "model" }, { field: "cohort" }, { field: "said", title: withUnit(headline) }, { field: "n" }] } },
    ],
  }, "Faint cohorts are too small to publish (fewer than 10 speakers or 30 errors).");
};

const cohortTable = (rows, headline, names) => tableOf({
  caption: "Cohorts", rows, sort: { key: headline, descending: true }, rowClass: (row) => row.status,
  columns: [
    textColumn("model", "model", (row) => names.name(row.cell)), textColumn("cohort", "cohort", (row) => row.cohort), metricColumn(headline, (row) => row),
    numberColumn("speakers", "speakers", (row) => row.n_speakers), numberColumn("counted", headline === "eer" ? "trials" : "words", (row) => (headline === "eer" ? row.n : row.denominator)),
    { ...textColumn("status", "status", (row) => row.status), node: (row) => [statusChip(row.status), " ", row.reason ?? ""] },
  ],
}, "earmark-cohorts");

// Behind the texts of a map, so that outlines do not cross them.
const HALO = { stroke: "#f6e3d3", strokeWidth: 4, strokeJoin: "round", color: "#f6e3d3" };
const regionFigure = (told, rates, name) => {
  const boxes = told.regions.map((region) => {
    const row = rates.find((one) => one.cohort === region.name);
    return { ...region, name: clean(region.name).split(":")[0], rate: row ? scaled(row.metric, row.value) : null, title: `${clean(region.name).split(":")[0]}: ${row ? `${valueText(row)} ${intervalText(row)}` : "not measured"}`, n: row?.n_speakers ? `${row.n_speakers} ${row.n_speakers === 1 ? "speaker" : "speakers"}` : "", lon: (region.west + region.east) / 2, lat: (region.south + region.north) / 2, href: row ? numberAddress(row) : null };
  });
  const lines = told.rings.flatMap((ring, number) => Array.from({ length: ring.length / 2 }, (_, step) => ({ lon: ring[2 * step], lat: ring[2 * step + 1], ring: number, step })));
  const x = quantity("west", "longitude", { scale: { domain: told.lon, nice: false }, axis: { grid: false } }), y = quantity("south", "latitude", { scale: { domain: told.lat, nice: false }, axis: { grid: false } });
  const stretch = Math.max(0.35, Math.min(1, (told.lat[1] - told.lat[0]) / (told.lon[1] - told.lon[0])));
  return figure("Map of the regions with their error rates; the numbers are in the table of cohorts", {
    height: Math.round(560 * stretch),
    layer: [
      { data: { values: boxes }, mark: { type: "rect", opacity: 0.75, stroke: INK, strokeOpacity: 0.5, clip: true }, encoding: { x, y, x2: { field: "east" }, y2: { field: "north" }, color: quantity("rate", "error rate (%)", { scale: { scheme: "oranges", zero: true } }) } },
      { data: { values: lines }, mark: { type: "line", color: INK, strokeWidth: 0.8, opacity: 0.6, clip: true }, encoding: { x: quantity("lon"), y: quantity("lat"), detail: { field: "ring" }, order: { field: "step" } } },
      ...[["title", -7, 12], ["n", 8, 11]].flatMap(([field, dy, fontSize]) => [HALO, {}].map((halo) => ({ data: { values: boxes }, mark: { type: "text", dy, fontSize, color: "#1a1a1a", ...halo }, encoding: { x: quantity("lon"), y: quantity("lat"), text: nominal(field) } }))),
    ],
  }, [`${name}, seed ${told.seed}: regions of `, h("b", {}, told.name), ", found on other speakers, with the error rate of those measured. Every region goes on beyond the map where no cut ends it."]);
};

const dotsFigure = (told) => {
  const plain = { labels: false, ticks: false, grid: false, domainOpacity: 0.3 };
  return figure("Speakers by the two directions in which their voices differ most, colored by cohort", {
    height: 300, data: { values: told.dots.map(([x, y, cohort]) => ({ x, y, cohort: clean(cohort) })) }, mark: { type: "point", filled: true, size: 45, opacity: 0.8 },
    encoding: { x: quantity("x", "first principal component", { axis: plain, scale: { zero: false } }), y: quantity("y", "second", { axis: plain, scale: { zero: false } }), color: nominal("cohort") },
  }, ["The speakers on whom ", h("b", {}, told.name), " was found."]);
};

const pictures = (cells, pages, scheme, headline, names) => {
  const seen = new Set();
  return cells.filter((cell) => !cellText(cell, "mitigation")).flatMap((cell) => {
    const page = pages.get(board.cells.at.run(cell));
    const told = page.schemes.find((one) => one.name === scheme && one.seed === board.cells.at.seed(cell));
    if (!told || seen.has(`${told.digest} ${cell}`)) return [];
    const rates = page.of(cell, scheme).filter((row) => row.metric === headline);
    const dots = told.dots && !seen.has(told.digest) ? dotsFigure(told) : null;
    seen.add(told.digest).add(`${told.digest} ${cell}`);
    return [told.regions ? regionFigure(told, rates, names.name(cell)) : null, dots].filter(Boolean);
  });
};

const fairness = async ({ params }) => {
  const candidates = everyCell((cell) => isNow(cell) && cellText(cell, "status") === "ok");
  const pages = await loadRuns(candidates);
  const withCohorts = candidates.filter((cell) => schemesOf(pages, cell).size);
  const title = (cell) => `${TASKS[cellText(cell, "task")]}: ${placeName(cell)}`;
  const places = distinct(withCohorts.map(title));
  if (!places.length) return [h("h1", {}, "Fairness"), note("No run here has cohorts.")];
  const repaired = withCohorts.filter((cell) => cellText(cell, "mitigation"));
  const place = places.includes(params.place) ? params.place : mostOf(measured(repaired.length ? repaired : withCohorts).map(title));
  const cells = withCohorts.filter((cell) => title(cell) === place), names = namesOf(cells, { runs: true });
  const { headline } = board.tasks[cellText(cells[0], "task")];
  const schemes = distinct(cells.flatMap((cell) => [...schemesOf(pages, cell)]));
  const found = gapsOf(pages, cells);
  const wanted = [...cells.map((cell) => cellText(cell, "scheme")), ...found.map((row) => row.scheme), ...schemes].find((name) => schemes.includes(name));
  const scheme = schemes.includes(params.scheme) ? params.scheme : wanted;
  const cohorts = cells.flatMap((cell) => pages.get(board.cells.at.run(cell)).of(cell, scheme).filter((row) => row.metric === headline && row.cohort !== "*"));
  const gaps = found.filter((row) => row.scheme === scheme), ledger = ledgerRows(cells, pages), weighed = weightFigures(cells, pages, scheme, names);
  return [
    h("h1", {}, "Fairness"),
    h("div", { class: "filters", role: "group", "aria-label": "What is shown" }, select("measured on", "filter-place", placeChoices(places), place, (value) => choose({ place: value, scheme: null })), select("cohorts by", "filter-scheme", schemes.map((name) => [name, spaced(name)]), scheme, (value) => choose({ scheme: value }))),
    section(`Cohorts by ${spaced(scheme)}`, cohorts.length ? [cohortFigure(cohorts, headline, names), cohortTable(cohorts, headline, names)] : note("No cohort of this scheme was measured."), pictures(cells, pages, scheme, headline, names)),
    section(`Gaps between cohorts by ${spaced(scheme)}`, note(GAPS_SAID, " Those under all schemes stand in the ", h("a", { href: address("overview", ["fairness"]) }, "overview"), "."), gaps.length ? gapTable(gaps, names) : note("None was measured.")),
    ledger.length ? section("Before and after repairs", note("Change of the error rate, after minus before on the same recordings of the same speakers, paired, in points: of the cohort that was worst on other speakers, of the one that was best, of everybody, and of the gap between the two. The last columns are the cohorts afterwards. ", h("b", {}, "Leveled down"), " says that a gap shrank mostly because the best served are served worse."), ledgerTable(ledger, names)) : null,
    ledger.length ? section("Gap closed, and what it cost", costFigure(ledger, names), costTable(ledger, names)) : null,
    weighed.length ? section(`Weights against losses by ${spaced(scheme)}`, note("Mean weight over mean loss of the training speakers of each group, a path from the first look at the training to the last, which is the large dot. Who is weighed by need climbs to the right: more weight where there is more loss."), h("div", { class: "two" }, weighed)) : null,
  ];
};
