"""Ways to tamper with a stored run, from clumsy to careful, each with the check that is to refuse it.

A careful hand computes the measurements again and writes new digests, so that only what was observed speaks against it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earmark.bench.score import score_run
from earmark.bench.store import RunFolder


@dataclass(frozen=True)
class Tampering:
    """What is done to a run's folder, and how the reason of the refusal begins."""

    name: str
    do: Callable[[Path], None]
    reason: str


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def edit_rows(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def edit_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path, compression="zstd")


def replaced(table: pa.Table, name: str, column: Any) -> pa.Table:
    """The table with another column of that name."""
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), column)


def hash_again(run: Path) -> None:
    """Write the digests of the files as they are now into ``run.json``."""
    edit_json(run / "run.json", lambda data: data.update(files=RunFolder(run).file_digests()))


def recognizer(run: Path) -> Path:
    """The observations of the first recognition cell."""
    return min(path.parent for path in run.glob("observations/*/utterances.parquet"))


def embedder(run: Path) -> Path:
    return min(path.parent for path in run.glob("observations/*/trials.parquet"))


# --- scores -------------------------------------------------------------------------------------------------------


def better_score(run: Path) -> None:
    def change(row: dict[str, Any]) -> None:
        if row["metric"] == "wer" and row["scheme"] == "all":
            row["value"] = round(row["value"] / 2, 12)

    edit_rows(run / "measurements.jsonl", change)


def better_score_with_counts(run: Path) -> None:
    """Counts, interval and digests go along: nothing in the tables contradicts it but the observations."""

    def change(row: dict[str, Any]) -> None:
        if row["metric"] == "wer" and row["scheme"] == "all":
            row["numerator"] = row["numerator"] // 2
            row["value"] = float(f"{row['numerator'] / row['denominator']:.12g}")

    edit_rows(run / "measurements.jsonl", change)
    hash_again(run)


def lost_row(run: Path) -> None:
    path = run / "measurements.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if '"metric":"wer"' in line and '"scheme":"all"' not in line)
    path.write_text("\n".join([*lines[:first], *lines[first + 1 :]]) + "\n", encoding="utf-8")
    hash_again(run)


def better_speed(run: Path) -> None:
    """Service times a thousandth, scored and hashed again; the moments at which tokens were there tell."""

    def change(table: pa.Table) -> pa.Table:
        return replaced(table, "service_s", pc.multiply(table["service_s"], 0.001))

    edit_table(recognizer(run) / "chunks.parquet", change)
    score_run(RunFolder(run))


# --- observations -------------------------------------------------------------------------------------------------


def drop_utterance(run: Path) -> None:
    edit_table(recognizer(run) / "utterances.parquet", lambda table: table.slice(1))


def drop_utterance_carefully(run: Path) -> None:
    """One recording is gone from every table of its cell, scores and digests are new."""
    folder = recognizer(run)
    gone = pq.read_table(folder / "utterances.parquet")["utterance_id"][0]
    for path in folder.glob("*.parquet"):
        if "utterance_id" in pq.read_schema(path).names:
            edit_table(path, lambda table: table.filter(pc.not_equal(table["utterance_id"], gone)))
    score_run(RunFolder(run))


def mend_hypotheses(run: Path) -> None:
    """Some hypotheses become their references, scores and digests are new."""

    def change(table: pa.Table) -> pa.Table:
        said, heard = table["reference"].to_pylist(), table["hypothesis_raw"].to_pylist()
        mended = pa.array([*said[:20], *heard[20:]])
        return replaced(table, "hypothesis_raw", mended)

    edit_table(recognizer(run) / "utterances.parquet", change)
    score_run(RunFolder(run))


def mend_trials(run: Path) -> None:
    """Scores of targets go up, scores and digests are new; the embeddings tell."""

    def change(table: pa.Table) -> pa.Table:
        scores = pc.add(table["score"], pc.multiply(0.1, table["target"].cast(pa.float64())))
        return replaced(table, "score", scores)

    edit_table(embedder(run) / "trials.parquet", change)
    score_run(RunFolder(run))


# --- speakers, fields, files --------------------------------------------------------------------------------------


def move_speaker(run: Path) -> None:
    """A speaker is measured under the name of somebody that nobody knows, scores and digests are new."""

    def change(table: pa.Table) -> pa.Table:
        names = table["speaker"].to_pylist()
        moved = pa.array(["t00" if name == names[0] else name for name in names])
        return replaced(table, "speaker", moved)

    folder = recognizer(run)
    edit_table(folder / "utterances.parquet", change)
    score_run(RunFolder(run))


def move_recordings(run: Path) -> None:
    """A speaker's recordings are said to be of the train split."""

    def change(table: pa.Table) -> pa.Table:
        first = table["speaker"][0].as_py()
        moved = ["train" if name == first else "measure" for name in table["speaker"].to_pylist()]
        return replaced(table, "split", pa.array(moved))

    edit_table(recognizer(run) / "utterances.parquet", change)
    hash_again(run)


def rename_field(run: Path) -> None:
    def change(row: dict[str, Any]) -> None:
        row["sede"] = row.pop("seed")

    edit_rows(run / "cells.jsonl", change)
    hash_again(run)


def rename_column(run: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.rename_columns(["person" if name == "speaker" else name for name in table.schema.names])

    edit_table(recognizer(run) / "utterances.parquet", change)
    hash_again(run)


def lost_cell(run: Path) -> None:
    """A cell that went badly is left out of the tables."""
    path = run / "cells.jsonl"
    gone = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["cell"]
    for name in ("cells.jsonl", "measurements.jsonl"):
        lines = (run / name).read_text(encoding="utf-8").splitlines()
        (run / name).write_text("".join(f"{line}\n" for line in lines if gone not in line), encoding="utf-8")
    shutil.rmtree(run / "observations" / gone)
    hash_again(run)


def uncommitted(run: Path) -> None:
    edit_json(run / "run.json", lambda data: data.update(git_dirty=True))


def foreign_run(other: Path) -> Callable[[Path], None]:
    """The ``run.json`` of another run, whose digests are written anew."""

    def do(run: Path) -> None:
        shutil.copyfile(other / "run.json", run / "run.json")
        hash_again(run)

    return do


TAMPERINGS = (
    Tampering("a score edited", better_score, "hashes: measurements.jsonl"),
    Tampering("a score edited with its counts and digests", better_score_with_counts, "scores: .* wer: value is"),
    Tampering("a row left out", lost_row, "scores: .*: the row is missing"),
    Tampering("a faster machine", better_speed, "plausibility: .*: emitted_s of .* tokens is not when"),
    Tampering("an observation dropped", drop_utterance, "observations: .* recordings of .* are not in utterances"),
    Tampering("hypotheses mended", mend_hypotheses, "observations: .* is not what its tokens say"),
    Tampering("a speaker's recordings of another split", move_recordings, "speakers: .*: recordings of split train"),
    Tampering("a field renamed", rename_field, "schema: cells.jsonl:1: seed"),
    Tampering("a column renamed", rename_column, "schema: .*utterances.parquet: not its columns: person"),
    Tampering("a cell left out", lost_cell, "plan: cells.jsonl: planned and not there"),
    Tampering("uncommitted changes", uncommitted, "provenance: run.json: uncommitted changes"),
)
"""Tamperings that any run with a recognizer shows."""
BY_NAME: Mapping[str, Tampering] = {one.name: one for one in TAMPERINGS}
