"""What the page says of its own numbers, from the tables to the data of the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boards
import pytest
import runs

from earmark.bench.annotations import FILE
from earmark.bench.store import RunFolder

NOTE = """
[[annotation]]
commit = "0123456"
plugin = "alpha"
note = "harder recordings"
expected = true

[[annotation]]
at = 2026-01-02T00:00:00Z
note = "another machine"
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    results = runs.build_nights(tmp_path)
    (results / FILE).write_text(NOTE, encoding="utf-8")
    return boards.build(results, tmp_path / "page" / "index.html", monkeypatch)


def cells_of(index: dict[str, Any]) -> list[dict[str, Any]]:
    return boards.rows(index["cells"] | {"n_rows": len(index["cells"]["cell"])})


def test_a_step_stands_at_the_cell_with_which_it_came(page: Path) -> None:
    index = boards.data(page)
    (step,) = index["steps"]
    cells = cells_of(index)
    run = index["runs"][cells[step["cell"]]["run"]]
    assert (run["run_id"][:8], step["metric"], step["verdict"]) == ("20260105", "wer", "worse")
    assert (step["before"], step["after"]) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.13, abs=1e-3))
    assert (step["notes"], step["expected"]) == (["harder recordings"], True)
    assert [note["note"] for note in index["notes"]] == ["harder recordings", "another machine"]


def test_without_asv_nobody_says_that_there_are_no_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asv.step_detect", None)
    page = boards.build(runs.build_nights(tmp_path), tmp_path / "page" / "index.html", monkeypatch)
    assert boards.data(page)["steps"] is None


def test_a_ranking_that_another_rule_turns_round_is_named_with_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "results" / "v1" / runs.SUITE / runs.RUN_ID)
    folder.write_run(runs.run_row())
    folder.write_cells([runs.cell_row("x"), runs.cell_row("a"), runs.cell_row("b", plugin="beta")])
    figures = {"a": (0.10, 0.31), "b": (0.104, 0.30), "x": (0.5, 0.5)}
    folder.write_measurements(
        runs.measurement(cell, metric, value)
        for cell, values in figures.items()
        for metric, value in zip(("wer", "wer_raw"), values, strict=True)
    )
    index = boards.data(boards.build(tmp_path / "results", tmp_path / "page" / "index.html", monkeypatch))
    (flip,) = index["flips"]
    assert [cells_of(index)[place]["cell"] for place in flip["cells"]] == ["a", "b"]
    assert "alpha beats beta by wer" in flip["text"]
