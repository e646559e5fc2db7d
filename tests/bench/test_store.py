"""The tables on disk: whole or not at all, sorted, and refused when damaged."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from earmark.bench import store
from earmark.bench.api import InputError
from earmark.bench.rows import Cell, Measurement
from earmark.bench.tables import SCHEMAS, Writer, read_table, to_table

CELL: dict[str, Any] = {
    "train_key": "t", "task": "recognition", "plugin": "p", "preset": "tiny", "corpus": "c", "corpus_fingerprint": "f",
    "split": "measure", "condition": "clean", "seed": 0, "device": "cpu", "threads": 1, "chunk_ms": 120,
    "pacing": "virtual", "passes": 3, "status": "ok",
}  # fmt: skip


def row(**fields: Any) -> Measurement:
    return Measurement(**({"cell": "a", "metric": "wer", "value": 0.5, "unit": "1", "better": "lower"} | fields))


def test_rows_are_sorted_and_read_back(tmp_path: Path) -> None:
    folder = store.RunFolder(tmp_path)
    rows = [row(cell="b"), row(metric="cer"), row(scheme="gender", cohort="f"), row()]
    folder.write_measurements(rows)
    folder.write_cells([Cell(cell="b", **CELL), Cell(cell="a", **CELL)])
    assert [(r.cell, r.scheme, r.metric) for r in folder.read_measurements()] == [
        ("a", "all", "cer"), ("a", "all", "wer"), ("a", "gender", "wer"), ("b", "all", "wer"),
    ]  # fmt: skip
    assert [c.cell for c in folder.read_cells()] == ["a", "b"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = store.RunFolder(tmp_path / "1"), store.RunFolder(tmp_path / "2")
    one.write_measurements([row(value=1 / 3), row(cell="b")])
    two.write_measurements([row(cell="b"), row(value=1 / 3)])
    assert (one.path / "measurements.jsonl").read_bytes() == (two.path / "measurements.jsonl").read_bytes()


def test_floats_are_kept_to_twelve_digits() -> None:
    assert '"value":0.333333333333,' in row(value=1 / 3).line()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_never_written(value: float) -> None:
    with pytest.raises(ValidationError, match="never written"):
        row(value=value)


def test_a_value_and_its_status_agree() -> None:
    with pytest.raises(ValidationError, match="value None with status ok"):
        row(value=None)
    with pytest.raises(ValidationError, match="with status failed"):
        row(status="failed")
    assert row(value=None, status="unbounded").value is None
    assert row(status="insufficient").value == 0.5


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cells.jsonl"
    store.write_text(path, "old\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write_text(path, "new\n")
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["cells.jsonl"]


def test_damage_is_named_by_file_and_line(tmp_path: Path) -> None:
    folder = store.RunFolder(tmp_path)
    folder.write_measurements([row(), row(cell="b")])
    path = tmp_path / "measurements.jsonl"
    path.write_text(path.read_text().replace('"cell":"b"', '"sell":"b"'))
    with pytest.raises(InputError, match=r"measurements.jsonl:2: "):
        folder.read_measurements()


def test_every_kind_of_line_end_survives_in_a_name(tmp_path: Path) -> None:
    """U+2028, U+2029 and U+0085 end lines for ``str.splitlines`` and mean nothing in JSON."""
    folder = store.RunFolder(tmp_path)
    folder.write_measurements([row(cohort="north\u2028east\u0085\u2029")])
    assert folder.read_measurements()[0].cohort == "north\u2028east\u0085\u2029"


def test_run_names_sort_by_time_and_never_collide(tmp_path: Path) -> None:
    started = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    name = store.run_id(started, "0123456789ab", "fedcba9876543210", dirty=True)
    assert name == "20260304T050607Z-012345-fedcba9-dirty"
    assert store.run_id(started, "0123456789ab", None, dirty=None).endswith("-unknown")
    first, second = (store.new_folder(tmp_path, "s", name) for _ in range(2))
    assert (first.run_id, second.run_id) == (name, f"{name}-2")


def test_a_worker_folder_is_published_once_whole(tmp_path: Path) -> None:
    folder = store.RunFolder(tmp_path)
    (folder.partial("x") / "left-by-a-killed-worker").touch()
    (folder.partial("x") / "tokens.parquet").touch()
    folder.publish("x")
    assert [p.name for p in folder.observations("x").iterdir()] == ["tokens.parquet"]


@pytest.mark.parametrize("held", [1, 2, 100])
def test_observations_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(Writer, "ROWS_HELD", held)
    with Writer(tmp_path, "c") as writer:
        for number in range(5):
            writer.add("work", utterance_id=str(number), part="encoder", macs=number)
    table = read_table(tmp_path, "work")
    assert table["macs"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["cell"].to_pylist() == ["c"] * 5
    assert table.schema.equals(SCHEMAS["work"])
    assert read_table(tmp_path, "probes").num_rows == 0


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(KeyError, match="no column"):
        to_table("work", [{"cell": "c", "flops": 1}])
