"""What the page gets to draw of cohorts that were found: boxes and outlines of a map, dots of voices."""

from __future__ import annotations

from typing import Any

import pytest

from earmark.bench.board import maps

REGIONS = [
    {"name": "r1: lat >= 45", "lat": [45.0, None], "lon": [None, None], "discover_rate": 0.2},
    {"name": "r2: lat < 45, lon < 3", "lat": [None, 45.0], "lon": [None, 3.0], "discover_rate": 0.1},
    {"name": "r3: lat < 45, lon >= 3", "lat": [None, 45.0], "lon": [3.0, None], "discover_rate": 0.1},
]


def told(content: Any = None, **more: Any) -> dict[str, Any]:
    (scheme,) = maps.schemes({"d1": {"name": "places", "seed": 0, "json": content or {"regions": REGIONS}, **more}})
    return scheme


def test_regions_fill_the_map_without_overlap() -> None:
    scheme = told()
    (west, east), (south, north) = scheme["lon"], scheme["lat"]
    areas = [(r["east"] - r["west"]) * (r["north"] - r["south"]) for r in scheme["regions"]]
    assert sum(areas) == pytest.approx((east - west) * (north - south))
    assert [r["name"] for r in scheme["regions"]] == [r["name"] for r in REGIONS]
    assert scheme["regions"][0]["south"] == 45.0


def test_cuts_along_one_axis_alone_are_shown_on_the_whole_map() -> None:
    strips = [
        {"name": "n", "lat": [45.0, None], "lon": [None, None]},
        {"name": "s", "lat": [None, 45.0], "lon": [None, None]},
    ]
    scheme = told({"regions": strips})
    assert {axis: scheme[axis] for axis in maps.WIDEST} == maps.WIDEST


def test_states_are_drawn_inside_the_united_states_alone() -> None:
    inside, beyond = (
        len(maps.rings_within({"lon": lon, "lat": (30.0, 45.0)})) for lon in ((-120.0, -70.0), (-120.0, 5.0))
    )
    assert inside > 30  # states
    assert 0 < beyond < 60  # countries
    assert not maps.rings_within({"lon": (0.0, 1.0), "lat": (-50.0, -49.0)})  # in the South Atlantic


@pytest.mark.parametrize("bound", [None, -10.0])
def test_what_is_shown_holds_every_cut(bound: float | None) -> None:
    regions = [{"lat": [bound, 45.0]}, {"lat": [45.0, None]}]
    low, high = maps.shown_stretch(regions, "lat")
    assert low < (45.0 if bound is None else bound)
    assert 45.0 + maps.LEAST_DEG <= high <= 80.0
    assert maps.shown_stretch([{"lat": [None, None]}], "lat") == (-60.0, 80.0)


@pytest.mark.parametrize("content", [{"border": 1.0}, {"regions": REGIONS[:1]}, {"regions": "none"}, ["regions"]])
def test_a_scheme_without_regions_has_no_map(content: Any) -> None:
    assert "regions" not in told(content)


def test_voices_are_dots_with_their_cohorts() -> None:
    dots = [[0.1, 0.2, "c1"], [0.3, 0.1, "c2"], [0.2, 0.2, "<c>"]]
    assert told(picture=dots)["dots"] == dots
    assert "dots" not in told(picture=[])
