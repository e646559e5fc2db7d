"""The tables of raw observations: one pyarrow schema each, the same names for every model.

Every table begins with ``cell, utterance_id``. Times are seconds on the stream's own clock (zero is the moment
the first sample was spoken); ``service_s`` is wall time spent inside the model. ``docs/results.md`` says this in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_KEY = [("cell", pa.string()), ("utterance_id", pa.string())]
_TEXT, _REAL, _COUNT = pa.string(), pa.float64(), pa.int64()


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*_KEY, *fields])


_TRIALS = pa.schema(
    [
        ("cell", _TEXT), ("enroll_id", _TEXT), ("test_id", _TEXT), ("enroll_speaker", _TEXT),
        ("test_speaker", _TEXT), ("target", pa.bool_()), ("score", _REAL), ("list_name", _TEXT), ("pairing", _TEXT),
        ("session_relation", _TEXT), ("text_relation", _TEXT),
    ]
)  # fmt: skip

SCHEMAS: Mapping[str, pa.Schema] = {
    "utterances": _schema(
        ("speaker", _TEXT), ("split", _TEXT), ("condition", _TEXT), ("reference", _TEXT), ("hypothesis_raw", _TEXT),
        ("audio_s", _REAL), ("outcome", _TEXT), ("metadata", _TEXT),
    ),
    "offline": _schema(("hypothesis_raw", _TEXT)),
    "tokens": _schema(
        ("pass", _COUNT), ("index", _COUNT), ("channel", _COUNT), ("kind", _TEXT), ("text", _TEXT),
        ("final", pa.bool_()), ("chunk", _COUNT), ("audio_s", _REAL), ("emitted_s", _REAL),
    ),
    "chunks": _schema(
        ("pass", _COUNT), ("chunk", _COUNT), ("n_samples", _COUNT), ("due_s", _REAL), ("start_s", _REAL),
        ("service_s", _REAL), ("timed", pa.bool_()), ("device_s", _REAL),
    ),
    "concurrent": _schema(
        ("attempt", _COUNT), ("n_streams", _COUNT), ("server", _COUNT), ("stream", _COUNT), ("due_s", _REAL),
        ("service_s", _REAL),
    ),
    "work": _schema(("part", _TEXT), ("macs", _COUNT), ("dense_macs", _COUNT), ("uncounted_ops", _TEXT)),
    "probes": _schema(("name", _TEXT), ("value", _REAL)),
    "reference_words": _schema(("word", _TEXT), ("start_s", _REAL), ("end_s", _REAL)),
    "reference_turns": _schema(
        ("turn", _COUNT), ("speaker", _TEXT), ("channel", _COUNT), ("start_s", _REAL), ("end_s", _REAL), ("text", _TEXT)
    ),
    "embeddings": _schema(
        ("speaker", _TEXT), ("vector", pa.list_(pa.float32())), ("audio_s", _REAL), ("service_s", _REAL),
        ("outcome", _TEXT), ("metadata", _TEXT),
    ),
    "prefixes": _schema(("heard_s", _REAL), ("vector", pa.list_(pa.float32()))),
    "voice_chunks": _schema(
        ("pass", _COUNT), ("chunk", _COUNT), ("n_samples", _COUNT), ("due_s", _REAL), ("service_s", _REAL),
        ("macs", _COUNT), ("answered", pa.bool_()),
    ),
    "trials": _TRIALS,
    "draws": pa.schema(
        [
            ("cell", _TEXT), ("draw", _COUNT), ("n_cohorts", _COUNT), ("bottom", _TEXT), ("bottom_share", _REAL),
            ("jaccard", _REAL), ("recall", _REAL), ("precision", _REAL), ("bottom_flagged", pa.bool_()),
            ("n_flagged", _COUNT), ("n_flagged_uncorrected", _COUNT),
        ]
    ),
    "impostors": _schema(("speaker", _TEXT), ("vector", pa.list_(pa.float32())), ("metadata", _TEXT)),
    "calibration_trials": _TRIALS,
    "facts": _schema(("name", _TEXT), ("value", _REAL), ("note", _TEXT)),
    "assignments": pa.schema(
        [
            ("cell", _TEXT), ("scheme", _TEXT), ("scheme_digest", _TEXT), ("speaker", _TEXT), ("cohort", _TEXT),
            ("role", _TEXT), ("note", _TEXT),
        ]
    ),
}  # fmt: skip
"""Observation tables. ``facts`` are readings of the whole cell (peak memory, parameters, model load time)."""


def to_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the named schema; an absent key is null, an unknown one a KeyError."""
    schema = SCHEMAS[name]
    rows = list(rows)
    surplus = {key for row in rows for key in row} - set(schema.names)
    if surplus:
        raise KeyError(f"{name} has no column {sorted(surplus)}")
    return pa.Table.from_pylist(rows, schema=schema)


class Writer:
    """Collects one cell's rows and writes ``folder/<table>.parquet``, a row group at a time.

    Use as a context manager; tables without rows leave no file.
    """

    ROWS_HELD = 20_000

    def __init__(self, folder: Path, cell: str) -> None:
        self.folder, self.cell = folder, cell
        self._held: dict[str, list[dict[str, Any]]] = {}
        self._files: dict[str, pq.ParquetWriter] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, table: str, **row: Any) -> None:
        """Add a row; ``cell`` is filled in."""
        held = self._held.setdefault(table, [])
        held.append({"cell": self.cell, **row})
        if len(held) >= self.ROWS_HELD:
            self._flush(table)

    def _flush(self, name: str) -> None:
        rows, self._held[name] = self._held[name], []
        if name not in self._files:
            self._files[name] = pq.ParquetWriter(self.folder / f"{name}.parquet", SCHEMAS[name], compression="zstd")
        self._files[name].write_table(to_table(name, rows))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_error: object) -> None:
        for name, rows in self._held.items():
            if rows:
                self._flush(name)
        for file in self._files.values():
            file.close()


def read_table(folder: Path, name: str) -> pa.Table:
    """The named table of a cell, empty (with its columns) where the cell has none."""
    path = folder / f"{name}.parquet"
    return pq.read_table(path, schema=SCHEMAS[name]) if path.is_file() else SCHEMAS[name].empty_table()
