"""Regions on a map, voices as a cloud of dots: what a run keeps of the cohorts it found, ready to be drawn.

A scheme whose JSON has ``regions`` with bounds ``lat`` and ``lon`` is drawn as a map, whoever found it; one that was
found from embeddings keeps a plane view of its discover speakers, and that is drawn. Outlines of countries (Natural
Earth, public domain) and of US states (US Census Bureau, TIGER/Line 2009) come with earmark, to a tenth of a degree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

OUTLINES = Path(__file__).parent / "outlines.json"
MARGIN = 0.35
"""Of the stretch between the outermost cuts, shown beyond them."""
LEAST_DEG = 6.0
WIDEST = {"lon": (-180.0, 180.0), "lat": (-60.0, 80.0)}
US = {"lon": (-125.0, -66.0), "lat": (24.0, 50.0)}
Bounds = tuple[float, float]


def schemes(cohort_schemes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The frozen schemes of a run with their pictures: a map (``regions``, ``lon``, ``lat``, ``rings``) or ``dots``."""
    kept = ("name", "finder", "seed", "frozen_at", "pair")
    return [
        {name: told.get(name) for name in kept} | {"digest": digest} | _map(told) | _dots(told)
        for digest, told in cohort_schemes.items()
    ]


def _dots(told: Mapping[str, Any]) -> dict[str, Any]:
    dots = told.get("picture") or []
    return {"dots": dots} if len(dots) > 1 else {}


def _map(told: Mapping[str, Any]) -> dict[str, Any]:
    regions = _regions(told)
    if len(regions) < 2:
        return {}
    shown = {axis: shown_stretch(regions, axis) for axis in ("lon", "lat")}
    if any(shown[axis] == WIDEST[axis] for axis in shown):
        shown = dict(WIDEST)  # along one axis nothing is cut: a strip around the cuts of the other shows no place
    boxes = [{"name": region["name"], **_box(region, shown)} for region in regions]
    return {"regions": boxes, **shown, "rings": rings_within(shown)}


def _regions(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = told.get("json")
    found = content.get("regions") if isinstance(content, dict) else None
    regions = found if isinstance(found, list) else []
    return [r for r in regions if isinstance(r, dict) and {"name", "lat", "lon"} <= r.keys()]


def shown_stretch(regions: Sequence[Mapping[str, Any]], axis: str) -> Bounds:
    """The stretch of an axis that holds every cut, with some room around."""
    cuts = sorted({bound for region in regions for bound in region[axis] if bound is not None})
    widest = WIDEST[axis]
    if not cuts:
        return widest
    room = max(LEAST_DEG, MARGIN * (cuts[-1] - cuts[0]))
    return max(widest[0], cuts[0] - room), min(widest[1], cuts[-1] + room)


def _box(region: Mapping[str, Any], shown: Mapping[str, Bounds]) -> dict[str, float]:
    """A region's four sides; one that no cut ends goes on to the edge of the map."""
    (west, east), (south, north) = (
        tuple(edge if bound is None else bound for bound, edge in zip(region[axis], shown[axis], strict=True))
        for axis in ("lon", "lat")
    )
    return {"west": west, "east": east, "south": south, "north": north}


def rings_within(shown: Mapping[str, Bounds]) -> list[list[float]]:
    """Every outline that reaches into what is shown; states where it lies in the United States, else countries."""
    inside_us = all(US[axis][0] <= shown[axis][0] and shown[axis][1] <= US[axis][1] for axis in shown)
    lon, lat = shown["lon"], shown["lat"]
    return [
        ring
        for ring in _rings("us_states" if inside_us else "world")
        if max(ring[::2]) >= lon[0]
        and min(ring[::2]) <= lon[1]
        and max(ring[1::2]) >= lat[0]
        and min(ring[1::2]) <= lat[1]
    ]


@cache
def _rings(which: str) -> list[list[float]]:
    """Closed lines as longitude, latitude, longitude and so on."""
    found: dict[str, list[list[float]]] = json.loads(OUTLINES.read_text(encoding="utf-8"))
    return found[which]
