"""What may be taken away: observations and logs of old nights, never a measurement, never what is needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from earmark.bench.nightly import keeping, records
from earmark.bench.nightly.keeping import Policy, prune
from earmark.bench.nightly.records import Night

POLICY = Policy(observations=2, logs=3)


def made(results: Path, number: int, *, mib: int = 0, **changes: Any) -> Night:
    base: dict[str, Any] = {
        "suite": "unit", "run_id": f"2026010{number}T000000Z-abc123-1234567", "host": "abc", "devices": ["cpu"],
        "git_sha": None, "verdict": "worse",
    }  # fmt: skip
    night = Night(**(base | changes))
    folder = results / "v1" / "unit" / night.run_id
    for name in ("observations/c/chunks.parquet", "logs/c.txt", "measurements.jsonl", "cells.jsonl", "run.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * (mib * 2**20 if name.startswith("observations") and mib else 1))
    records.write(results, night)
    return night


def what_is_left(results: Path) -> dict[str, set[str]]:
    return {run.name[6:8]: {path.name for path in run.iterdir()} for run in (results / "v1" / "unit").iterdir()}


TABLES = {"measurements.jsonl", "cells.jsonl", "run.json"}


def test_old_observations_and_logs_go_and_tables_stay(tmp_path: Path) -> None:
    nights = [made(tmp_path, n) for n in range(1, 6)]
    said = list(prune(tmp_path, nights, POLICY))
    left = what_is_left(tmp_path)
    assert left["05"] == left["04"] == TABLES | {"observations", "logs"}
    assert left["03"] == TABLES | {"logs", "pruned.json"}
    assert left["02"] == left["01"] == TABLES | {"pruned.json"}
    assert len(said) == 3
    told = json.loads((tmp_path / "v1/unit" / nights[0].run_id / "pruned.json").read_text())
    assert told.keys() == {"observations", "logs"}
    assert list(prune(tmp_path, nights, POLICY)) == []


def test_the_last_good_and_accepted_nights_stay_whole(tmp_path: Path) -> None:
    states = [{"accepted": True}, {"verdict": "good"}, {"verdict": "good"}, {}, {}, {}]
    nights = [made(tmp_path, n, **state) for n, state in enumerate(states, start=1)]
    list(prune(tmp_path, nights, POLICY))
    whole = {day for day, names in what_is_left(tmp_path).items() if "observations" in names}
    assert whole == {"01", "03", "05", "06"}


def test_what_all_observations_take_is_bounded(tmp_path: Path) -> None:
    nights = [made(tmp_path, n, mib=2) for n in range(1, 6)]
    list(prune(tmp_path, nights, Policy(observations=9, logs=9, observations_mib=5.0)))
    whole = {day for day, names in what_is_left(tmp_path).items() if "observations" in names}
    assert whole == {"04", "05"}


def test_a_committed_run_is_left_alone(tmp_path: Path) -> None:
    nights = [made(tmp_path, n) for n in range(1, 5)]
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", f"v1/unit/{nights[0].run_id}/measurements.jsonl"], check=True)
    list(prune(tmp_path, nights, POLICY))
    left = what_is_left(tmp_path)
    assert "observations" in left["01"]
    assert "observations" not in left["02"]


def test_runs_that_were_no_nights_are_left_alone(tmp_path: Path) -> None:
    nights = [made(tmp_path, n) for n in range(1, 6)]
    for night in nights[:3]:
        (records.folder_of(tmp_path, "unit") / f"{night.run_id}.json").unlink()
    list(prune(tmp_path, records.read(tmp_path, "unit"), POLICY))
    assert "observations" in what_is_left(tmp_path)["01"]


def test_the_log_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOG_BYTES", 200)
    log = keeping.log_of(tmp_path, "unit")
    for number in range(200):
        log.info("line %d", number)
    files = sorted(path.name for path in records.folder_of(tmp_path, "unit").glob("night.log*"))
    assert len(files) == 1 + keeping.LOGS_KEPT
    assert all((records.folder_of(tmp_path, "unit") / name).stat().st_size <= 200 for name in files)
