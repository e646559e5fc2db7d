"""Pictures of found cohorts: the map shows every region with its rate, the cloud every speaker's cohort."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
import runs

from earmark.bench.board import maps
from earmark.bench.report import CellView

REGIONS = [
    {"name": "r1: lat >= 45", "lat": [45.0, None], "lon": [None, None], "discover_rate": 0.2},
    {"name": "r2: lat < 45, lon < 3", "lat": [None, 45.0], "lon": [None, 3.0], "discover_rate": 0.1},
    {"name": "r3: lat < 45, lon >= 3", "lat": [None, 45.0], "lon": [3.0, None], "discover_rate": 0.1},
]


def schemes(content: Any = None, **told: Any) -> dict[str, Any]:
    return {"d1": {"name": "places", "seed": 0, "json": content or {"regions": REGIONS}, **told}}


def view(seed: int = 0) -> CellView:
    wanted = {"scheme": "places", "n_speakers": 12}
    rows = [
        runs.measurement("good", "wer", rate, cohort=region["name"], **wanted, **runs.ci(rate - 0.02, rate + 0.02))
        for region, rate in zip(REGIONS[:2], (0.31, 0.12), strict=True)
    ]
    return CellView(runs.cell_row("good", seed=seed), tuple(rows))


def texts(svg: str | None) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg or "<svg/>").iter() if node.tag.endswith("text")]


def paths(svg: str | None) -> int:
    return sum(node.tag.endswith("path") for node in ElementTree.fromstring(svg or "<svg/>").iter())


def test_every_region_is_on_the_map_with_its_rate() -> None:
    found = texts(maps.region_map(schemes(), view(), "places"))
    assert {"r1", "r2", "r3", "31.0 [29.0, 33.0] %", "12.0 [10.0, 14.0] %", "not measured", "latitude"} <= set(found)


def test_coasts_are_drawn_around_them() -> None:
    """Without outlines the map has fewer lines."""
    bare = maps._map([], (0.0, 1.0), (-50.0, -49.0))  # in the South Atlantic
    assert not list(maps._outlines((0.0, 1.0), (-50.0, -49.0)))
    assert paths(maps.drawn_svg(bare)) + 5 < paths(maps.region_map(schemes(), view(), "places"))


def test_states_are_drawn_inside_the_united_states_alone() -> None:
    inside, beyond = (
        len({row["ring"] for row in maps._outlines(lon, (30.0, 45.0))}) for lon in ((-120, -70), (-120, 5))
    )
    assert inside > 30  # states
    assert 0 < beyond < 60  # countries


@pytest.mark.parametrize("bound", [None, -10.0])
def test_what_is_shown_holds_every_cut(bound: float | None) -> None:
    regions = [{"lat": [bound, 45.0]}, {"lat": [45.0, None]}]
    low, high = maps._shown(regions, "lat", (-60.0, 80.0))
    assert low < (45.0 if bound is None else bound)
    assert 45.0 + maps.LEAST_DEG <= high <= 80.0
    assert maps._shown([{"lat": [None, None]}], "lat", (-60.0, 80.0)) == (-60.0, 80.0)


@pytest.mark.parametrize("content", [{"border": 1.0}, {"regions": REGIONS[:1]}, {"regions": "none"}, ["regions"]])
def test_a_scheme_without_regions_has_no_map(content: Any) -> None:
    assert maps.region_map(schemes(content), view(), "places") is None


def test_a_cell_gets_the_scheme_of_its_seed() -> None:
    assert maps.region_map(schemes(), view(seed=1), "places") is None
    assert maps.region_map(schemes(), view(), "others") is None


def test_voices_are_dots_in_the_colors_of_their_cohorts() -> None:
    dots = [[0.1, 0.2, "c1"], [0.3, 0.1, "c2"], [0.2, 0.2, "<c>"]]
    assert {"c1", "c2", "<c>"} <= set(texts(maps.voice_dots(schemes(picture=dots), view(), "places")))
    assert maps.voice_dots(schemes(), view(), "places") is None
