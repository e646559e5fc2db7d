"""Pictures of cohorts that were found: regions on a map with their error rates, and voices as a cloud of dots.

A scheme whose JSON has ``regions`` with bounds ``lat`` and ``lon`` is drawn as a map, whoever found it; one that was
found from embeddings keeps a plane view of its discover speakers, and that is drawn. Outlines of countries (Natural
Earth, public domain) and of US states (US Census Bureau, TIGER/Line 2009) come with earmark, to a tenth of a degree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.bench.board.charts import INK, PALETTE, drawn_svg
from earmark.bench.formatting import clean, with_interval

if TYPE_CHECKING:
    from earmark.bench.report import CellView
    from earmark.bench.rows import Measurement

OUTLINES = Path(__file__).parent / "outlines.json"
MARGIN = 0.35
"""Of the stretch between the outermost cuts, shown beyond them."""
LEAST_DEG = 6.0
WIDEST = ((-180.0, 180.0), (-60.0, 80.0))
US = ((-125.0, -66.0), (24.0, 50.0))
Bounds = tuple[float, float]


def region_map(schemes: Mapping[str, Any], view: CellView, scheme: str) -> str | None:
    """The regions of a frozen scheme, each with the error rate of a cell; None where the scheme has no regions."""
    regions = _regions(_frozen(schemes, view, scheme))
    if len(regions) < 2:
        return None
    lon, lat = (_shown(regions, axis, widest) for axis, widest in zip(("lon", "lat"), WIDEST, strict=True))
    rates = {row.cohort: row for found in view.schemes if found.name == scheme for row in found.cohorts}
    boxes = [_box(region, rates.get(region["name"]), lon, lat) for region in regions]
    return drawn_svg(_map(boxes, lon, lat))


def voice_dots(schemes: Mapping[str, Any], view: CellView, scheme: str) -> str | None:
    """Discover speakers in the plane in which their embeddings differ most, by cohort; None where none is kept."""
    dots = (_frozen(schemes, view, scheme) or {}).get("picture") or []
    if len(dots) < 2:
        return None
    import altair as alt

    values = [{"x": x, "y": y, "cohort": clean(cohort)} for x, y, cohort in dots]
    plain = alt.Axis(labels=False, ticks=False, grid=False, domainOpacity=0.3)
    chart = alt.Chart(alt.InlineData(values=values)).mark_point(filled=True, size=45, opacity=0.8)
    return drawn_svg(
        chart.encode(
            x=alt.X("x:Q", title="first principal component", axis=plain, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", title="second", axis=plain, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "cohort:N", scale=alt.Scale(range=list(PALETTE)), legend=alt.Legend(title=None, orient="right")
            ),
        ).properties(width=340, height=280)
    )


def _frozen(schemes: Mapping[str, Any], view: CellView, scheme: str) -> Mapping[str, Any] | None:
    """What the run keeps of the scheme of that name and of the cell's seed."""
    named = [told for told in schemes.values() if told.get("name") == scheme and told.get("seed") == view.cell.seed]
    return named[0] if named else None


def _regions(told: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    content = (told or {}).get("json")
    found = content.get("regions") if isinstance(content, dict) else None
    regions = found if isinstance(found, list) else []
    return [r for r in regions if isinstance(r, dict) and {"name", "lat", "lon"} <= r.keys()]


def _shown(regions: Sequence[Mapping[str, Any]], axis: str, widest: Bounds) -> Bounds:
    """The stretch of an axis that holds every cut, with some room around."""
    cuts = sorted({bound for region in regions for bound in region[axis] if bound is not None})
    if not cuts:
        return widest
    room = max(LEAST_DEG, MARGIN * (cuts[-1] - cuts[0]))
    return max(widest[0], cuts[0] - room), min(widest[1], cuts[-1] + room)


def _box(region: Mapping[str, Any], row: Measurement | None, lon: Bounds, lat: Bounds) -> dict[str, Any]:
    west, east = _within(region["lon"], lon)
    south, north = _within(region["lat"], lat)
    wer = None if row is None or row.value is None else 100.0 * row.value
    name = clean(region["name"]).partition(":")[0]
    said = "not measured" if row is None else f"{with_interval(row)} %"
    n = f"{row.n_speakers} speakers" if row is not None and row.n_speakers else ""
    return {
        "west": west, "east": east, "south": south, "north": north, "wer": wer, "name": name, "said": said, "n": n,
        "lon": (west + east) / 2, "lat": (south + north) / 2,
    }  # fmt: skip


def _within(bounds: Sequence[float | None], shown: Bounds) -> Bounds:
    low, high = bounds
    return shown[0] if low is None else low, shown[1] if high is None else high


def _map(boxes: list[dict[str, Any]], lon: Bounds, lat: Bounds) -> Any:
    import altair as alt

    x = alt.X("west:Q", title="longitude", scale=alt.Scale(domain=list(lon), nice=False), axis=alt.Axis(grid=False))
    y = alt.Y("south:Q", title="latitude", scale=alt.Scale(domain=list(lat), nice=False), axis=alt.Axis(grid=False))
    base = alt.Chart(alt.InlineData(values=boxes))
    color = alt.Color("wer:Q", title="WER (%)", scale=alt.Scale(scheme="oranges", zero=True))
    layers = [base.mark_rect(opacity=0.75, stroke=INK, strokeOpacity=0.5, clip=True).encode(x, y, color, x2="east:Q", y2="north:Q")]  # fmt: skip # noqa: E501
    lines = list(_outlines(lon, lat))
    if lines:
        outline = alt.Chart(alt.InlineData(values=lines)).mark_line(color=INK, strokeWidth=0.8, opacity=0.6, clip=True)
        layers.append(outline.encode(x="lon:Q", y="lat:Q", detail="ring:N", order="step:Q"))
    for field, shift, size in (("name", -14, 13), ("said", 2, 12), ("n", 16, 11)):
        ink = alt.condition("isValid(datum.wer)", alt.value("#1a1a1a"), alt.value(INK))
        text = base.mark_text(dy=shift, fontSize=size).encode(x="lon:Q", y="lat:Q", text=f"{field}:N", color=ink)
        layers.append(text)
    stretch = max(0.35, min(1.0, (lat[1] - lat[0]) / (lon[1] - lon[0])))
    return alt.layer(*layers).properties(width=560, height=round(560 * stretch))


def _outlines(lon: Bounds, lat: Bounds) -> Iterator[dict[str, Any]]:
    """Corners of every outline that reaches into what is shown; states where it lies in the United States."""
    inside_us = all(u[0] <= s[0] and s[1] <= u[1] for u, s in zip(US, (lon, lat), strict=True))
    for number, ring in enumerate(_rings("us_states" if inside_us else "world")):
        xs, ys = ring[::2], ring[1::2]
        if max(xs) < lon[0] or min(xs) > lon[1] or max(ys) < lat[0] or min(ys) > lat[1]:
            continue
        yield from (
            {"lon": x, "lat": y, "ring": number, "step": k} for k, (x, y) in enumerate(zip(xs, ys, strict=True))
        )


@cache
def _rings(which: str) -> list[list[float]]:
    """Closed lines as longitude, latitude, longitude and so on."""
    found: dict[str, list[list[float]]] = json.loads(OUTLINES.read_text(encoding="utf-8"))
    return found[which]
