"""What the site shows of the stored runs, recomputed from their observations."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import boards
import pytest

from earmark.bench.rows import Measurement
from earmark.bench.score import score_cell
from earmark.bench.store import RunFolder, run_folders

ROOT = Path(__file__).resolve().parents[3]
N_DRAWN = 50
KEY = ("scheme", "cohort", "metric")
SAME = ("value", "ci_low", "ci_high", "ci_level", "numerator", "denominator", "n", "n_speakers", "status")

pytestmark = pytest.mark.slow


def shown(page: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Every measurement of a site, after its run and cell."""
    index = boards.data(page)
    names = [run["run_id"] for run in index["runs"]]
    cells = boards.expanded(index["cells"]["cell"], None)
    runs = boards.expanded(index["cells"]["run"], len(cells))
    rows = boards.rows(index["numbers"])
    for name in names:
        rows += boards.rows(boards.data(page, f"run-{name}")["numbers"])
    return [(names[runs[row["cell"]]], cells[row["cell"]], row) for row in rows]


@cache
def scored(folder: RunFolder, name: str) -> dict[tuple[str, ...], Measurement]:
    """A cell's measurements from its observations alone."""
    (cell,) = (one for one in folder.read_cells() if one.cell == name)
    (planned,) = (one for one in folder.read_plan().cells if one.cell == name)
    rows = score_cell(cell, planned, folder, folder.read_run().normalizer)
    return {tuple(getattr(row, part) for part in KEY): row for row in rows}


def test_numbers_drawn_from_the_site_follow_from_the_observations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {folder.run_id: folder for folder in run_folders(ROOT / "results")}
    page = boards.build(ROOT / "results", tmp_path / "site" / "index.html", monkeypatch)
    assert boards.data(page)["unread"] == []
    everything = shown(page)
    assert {run for run, *_ in everything} == set(folders)
    drawn = random.Random(0).sample(everything, N_DRAWN)
    assert any(row["value"] is not None and row["ci_low"] is not None for *_, row in drawn)
    for run, cell, row in drawn:
        again = scored(folders[run], cell)[tuple(row[part] for part in KEY)]
        assert {name: row[name] for name in SAME} == {name: getattr(again, name) for name in SAME}, (run, cell, row)
