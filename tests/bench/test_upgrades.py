"""Runs of every schema version are read as if written today, one step at a time; ``tests/stored`` has one of each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from earmark.bench import query, store
from earmark.bench.api import InputError
from earmark.bench.rows import SCHEMA_VERSION
from earmark.bench.store import Kind, RunFolder, run_folders

STORED = Path(__file__).parents[1] / "stored"
RUN = "20260102T030405Z-abc123-0123456"


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_run_of_every_version_is_there_and_read(version: int) -> None:
    folder = RunFolder(STORED / f"v{version}" / "tiny" / RUN)
    assert json.loads((folder.path / "run.json").read_text(encoding="utf-8"))["schema_version"] == version
    assert (folder.version, folder.read_run().run_id) == (version, RUN)
    (cell,) = folder.read_cells()
    assert (cell.plugin, cell.seed, cell.status) == ("alpha", 0, "ok")
    rows = {(row.cohort, row.metric): row.value for row in folder.read_measurements()}
    assert rows["north", "wer"] == 0.25
    assert folder.read_plan().cells[0].cell == "good"
    with query.connect(STORED) as connection:
        found = query.records(connection, "SELECT value FROM flat WHERE metric = 'wer' AND cohort = 'north'")
    assert {"value": 0.25} in found


@pytest.mark.parametrize("version", range(2, SCHEMA_VERSION + 1))
def test_every_step_has_its_upgrade(version: int) -> None:
    assert version in store.UPGRADES


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Kind]]:
    """As if two versions had followed: in version 1 `seed` was called `draw`, in version 2 WER was in percent."""
    done: list[tuple[int, Kind]] = []

    def upgrade_to_2(kind: Kind, row: Any) -> Any:
        done.append((2, kind))
        return {("seed" if name == "draw" else name): value for name, value in row.items()} if kind == "cell" else row

    def upgrade_to_3(kind: Kind, row: Any) -> Any:
        done.append((3, kind))
        return row | {"value": row["value"] / 100} if kind == "measurement" and row["metric"] == "wer" else row

    monkeypatch.setattr(store, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(store, "UPGRADES", {2: upgrade_to_2, 3: upgrade_to_3})
    return done


def old_run(root: Path) -> RunFolder:
    """The stored run in the words of the imagined first version."""
    folder = RunFolder(root / "v1" / "tiny" / RUN)
    shutil.copytree(STORED / "v1" / "tiny" / RUN, folder.path)
    cells = folder.path / "cells.jsonl"
    cells.write_text(cells.read_text(encoding="utf-8").replace('"seed":', '"draw":'), encoding="utf-8")
    lines = (folder.path / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    in_percent = [row | {"value": 100 * row["value"]} if row["metric"] == "wer" else row for row in rows]
    (folder.path / "measurements.jsonl").write_text("".join(json.dumps(r) + "\n" for r in in_percent), encoding="utf-8")
    return folder


def test_steps_are_taken_one_after_the_other(tmp_path: Path, third_version: list[tuple[int, Kind]]) -> None:
    folder = old_run(tmp_path)
    assert [cell.seed for cell in folder.read_cells()] == [0]
    assert third_version == [(2, "cell"), (3, "cell")]
    values = {(row.cohort, row.metric): row.value for row in folder.read_measurements()}
    assert values["north", "wer"] == 0.25
    assert [found.path for found in run_folders(tmp_path)] == [folder.path]


def test_sql_sees_old_runs_as_they_would_be_written_today(
    tmp_path: Path, third_version: list[tuple[int, Kind]]
) -> None:
    old_run(tmp_path)
    with query.connect(tmp_path) as connection:
        sql = "SELECT suite, run_id, seed, value FROM flat WHERE metric = 'wer' AND cohort = 'north'"
        assert query.records(connection, sql) == [{"suite": "tiny", "run_id": RUN, "seed": 0, "value": 0.25}]


def test_a_version_that_is_yet_to_come_is_refused(tmp_path: Path) -> None:
    folder = old_run(tmp_path)
    run = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    (folder.path / "run.json").write_text(json.dumps(run | {"schema_version": 9}), encoding="utf-8")
    with pytest.raises(InputError, match=r"schema version 9, this earmark reads 1 to 1; install a newer earmark"):
        folder.read_run()


def test_a_broken_line_of_an_old_run_is_named(tmp_path: Path, third_version: list[tuple[int, Kind]]) -> None:
    folder = old_run(tmp_path)
    (folder.path / "cells.jsonl").write_text("{\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"cells.jsonl:1: no JSON"):
        folder.read_cells()
