"""Worlds as a suite: planned, drawn in a worker, scored, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from workers import work_here

from earmark.bench import observing, report, score
from earmark.bench.api import InputError
from earmark.bench.preflight import Request, prepare
from earmark.bench.rows import Measurement
from earmark.bench.run import run_suite
from earmark.bench.tables import read_table
from earmark.bench.worlds.plan import world_of
from earmark.bench.worlds.power import binomial_interval

SUITE = """
schema = 1
name = "drawn"
[[world]]
finders = [{finders}]
draws = 3
null_draws = 2
speakers = 40
effect = 5.0
{more}
"""


def written(folder: Path, finders: str = '"region_tree"', more: str = "") -> Path:
    path = folder / "drawn.toml"
    path.write_text(SUITE.format(finders=finders, more=more))
    return path


def request(folder: Path, **how: Any) -> Request:
    return Request(str(written(folder, **how)), results=folder / "results", quiet=True)


def test_each_truth_a_finder_could_see_and_a_null_world_are_cells(tmp_path: Path) -> None:
    cells = prepare(request(tmp_path, finders='"region_tree", "voice_clusters"')).cells
    named = [(cell.plugin, cell.condition, cell.world["draws"]) for cell in cells if cell.world]
    assert named == [
        ("region_tree", "rectangle", 3), ("region_tree", "rotated", 3), ("region_tree", "nothing", 2),
        ("voice_clusters", "voice", 3), ("voice_clusters", "nothing", 2),
    ]  # fmt: skip
    assert len({cell.cell for cell in cells}) == len(cells)


def test_a_cell_tells_its_world() -> None:
    told = {"truth": "voice", "planted": True, "effect": 3.0, "share": 0.2, "speakers": 9, "draws": 1}
    world = world_of(told)
    assert (dict(world.effects), world.share, set(world.n_speakers.values())) == ({"voice": 3.0}, 0.2, {9})
    assert not world_of({**told, "planted": False}).effects


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"finders": '"ewc"'}, "'ewc' finds no cohorts"),
        ({"finders": '"region_tre"'}, "region_tree"),
        ({"more": 'planted = ["moon"]'}, "no group 'moon'"),
        ({"more": "effekt = 2"}, "did you mean 'effect'"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, how: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        prepare(request(tmp_path, **how))
    assert said in str(caught.value)


def test_a_suite_that_measures_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text('schema = 1\nname = "empty"\n')
    with pytest.raises(InputError, match="measures nothing"):
        prepare(Request(str(path)))


def test_a_run_draws_scores_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = work_here(monkeypatch, [observing], lambda job: str(job["cell"]["condition"]))
    outcome = run_suite(request(tmp_path, more='planted = ["rectangle"]'), lambda _line: None)
    assert (asked, outcome.exit_code) == (["rectangle", "nothing"], 0)
    view = report.load(outcome.folder)
    planted, null = sorted(view.cells, key=lambda one: one.cell.condition == "nothing")
    draws = read_table(outcome.folder.observations(planted.cell.cell), "draws").to_pylist()
    hits = sum(draw["bottom_flagged"] and draw["jaccard"] >= 0.5 for draw in draws)
    assert_share(planted.get("finder_power"), hits, 3)
    drawn = read_table(outcome.folder.observations(null.cell.cell), "draws").to_pylist()
    assert_share(null.get("finder_divides_null"), sum(draw["n_cohorts"] > 1 for draw in drawn), 2)
    assert null.get("finder_power") is None
    before = outcome.folder.read_measurements()
    score.score_run(outcome.folder)
    assert outcome.folder.read_measurements() == before


def assert_share(row: Measurement | None, hits: int, n: int) -> None:
    assert row is not None
    assert (row.numerator, row.denominator, row.n, row.n_unit) == (hits, n, n, "draws")
    assert row.value == pytest.approx(hits / n)
    assert (row.ci_low, row.ci_high) == pytest.approx(binomial_interval(hits, n))
