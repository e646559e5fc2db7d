"""What ``earmark run`` writes passes every check but those of a clean commit; so does a run that lends from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tones
from workers import work_here

from earmark.bench import observing, run
from earmark.bench.preflight import Request
from earmark.bench.validate import validate

pytestmark = pytest.mark.slow
SUITE = """
schema = 1
name = "unit"
[defaults]
chunk_ms = [100]
passes = 2
timing_recordings = 4
[[train]]
id = "words"
task = "recognition"
plugins = ["tones"]
[[train]]
id = "voices"
task = "verification"
plugins = ["hums"]
[[measure]]
of = ["words", "voices"]
corpus = ["tones"]
cohorts = ["accent"]
"""
THIS_CHECKOUT = ("no commit", "uncommitted changes")


def go(tmp_path: Path, **changes: Any) -> run.Outcome:
    path = tmp_path / "unit.toml"
    path.write_text(SUITE, encoding="utf-8")
    corpus = tmp_path / "corpora" / "tones"
    if not corpus.exists():
        tones.write_tones(corpus)
    asked = Request(
        suite=str(path), corpus=str(corpus), plugin_files=(Path(tones.__file__),), results=tmp_path / "results",
        quiet=True, **changes,
    )  # fmt: skip
    return run.run_suite(asked, lambda _line: None)


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    work_here(monkeypatch, [observing], lambda job: str(job["cell"]["plugin"]))
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))


def test_runs_pass_their_own_checks(tmp_path: Path) -> None:
    for new in (False, True):
        (report,) = validate(go(tmp_path, new=new).folder.path, strict=True)
        assert [p for p in report.problems if not p.what.startswith(THIS_CHECKOUT)] == []


def test_rows_on_declared_training_data_are_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = observing.run_cell
    told = ("Tones", "undisclosed", "elsewhere")
    monkeypatch.setattr(observing, "run_cell", lambda job, **rest: replace(observe(job, **rest), trained_on=told))
    folder = go(tmp_path, plugins=("tones",)).folder
    (cell,) = folder.read_cells()
    assert {"seen_in_training:Tones", "training_data_undisclosed"} <= set(cell.flags)
    assert all("seen_in_training:Tones" in row.flags for row in folder.read_measurements())
