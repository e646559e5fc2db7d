"""The tables as columns of the page: runs, cells and measurements, each row once, nothing rounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from earmark.bench import ledgers, query, report
from earmark.bench.api import InputError
from earmark.bench.board.encode import arrow_columns, coded, constant_or
from earmark.bench.formatting import form, unit
from earmark.bench.metrics.names import METRICS
from earmark.bench.rows import Cell, Measurement, Run
from earmark.bench.store import RunFolder

ALL = "scheme = 'all' AND cohort = 'all'"
_FIELDS = [name for name in Measurement.model_fields if name not in ("cell", "unit", "better")]
_TEXTS = (
    "task", "plugin", "preset", "train_corpus", "labels", "corpus", "split", "condition", "device", "backend",
    "precision", "pacing", "mitigation", "cohort_input", "finder", "scheme", "scheme_digest", "status", "reason",
    "train_key", "kind", "corpus_fingerprint",
)  # fmt: skip
_PLACES = pa.schema([("run_id", pa.string()), ("cell", pa.string()), ("place", pa.int64())])
_COUNTS = ("steps", "seed", "threads", "chunk_ms", "passes")


@dataclass(frozen=True)
class Stored:
    """Everything below a results folder, read once: runs (oldest first) and their cells in one long list."""

    folders: tuple[RunFolder, ...]
    runs: tuple[Run, ...]
    cells: tuple[tuple[int, Cell], ...]
    """Place of the run, and the cell."""
    unread: tuple[tuple[str, InputError], ...] = ()
    """Runs that can't be read, such as those of a later version, and why."""

    @classmethod
    def read(cls, folders: Sequence[RunFolder]) -> Stored:
        """What can be read of these runs."""
        good: list[tuple[RunFolder, Run, list[Cell]]] = []
        unread = []
        for folder in folders:
            try:
                good.append((folder, folder.read_run(), folder.read_cells()))
            except InputError as error:
                unread.append((folder.run_id, error))
        cells = [(place, cell) for place, (_, _, found) in enumerate(good) for cell in found]
        return cls(tuple(f for f, *_ in good), tuple(run for _, run, _ in good), tuple(cells), tuple(unread))


def run_rows(stored: Stored) -> list[dict[str, Any]]:
    """Where, when and with what: the rows of ``run.json`` without digests of files and schemes."""
    left_out = {"files", "cohort_schemes", "packages"}
    return [run.model_dump(mode="json", exclude=left_out) for run in stored.runs]


def cell_columns(stored: Stored, pages: Sequence[str | None], heard: Sequence[str | None]) -> dict[str, Any]:
    """The cells; ``pages`` names the page of each one's observations, ``heard`` is a digest of its recordings."""
    rows = [cell for _, cell in stored.cells]
    columns: dict[str, Any] = {
        "run": coded(place for place, _ in stored.cells),
        "cell": [cell.cell for cell in rows],
        "label": coded(report.CellView(cell, ()).label for cell in rows),
        "options": coded(json.dumps(cell.options, sort_keys=True) if cell.options else "" for cell in rows),
        "flags": coded(cell.flags for cell in rows),
        "page": list(pages),
        "heard": coded(heard),
    }
    columns |= {name: coded(getattr(cell, name) for cell in rows) for name in _TEXTS}
    return columns | {name: constant_or([getattr(cell, name) for cell in rows]) for name in _COUNTS}


def measurement_tables(results: Path, stored: Stored) -> tuple[pa.Table, list[pa.Table]]:
    """Measurements over everybody, of all runs; and of each run those of its cohorts.

    ``cell`` is the place of the cell in :attr:`Stored.cells`.
    """
    keys = [(stored.runs[run].run_id, cell.cell, place) for place, (run, cell) in enumerate(stored.cells)]
    columns = (pa.array(column, kind) for column, kind in zip(_across(keys, 3), _PLACES.types, strict=True))
    with query.connect(results, stored.folders) as connection:
        connection.register("places", pa.table(list(columns), schema=_PLACES))
        chosen = ", ".join(f"m.{name}" for name in _FIELDS)
        joined = f"SELECT p.place AS cell, {chosen} FROM measurements m JOIN places p USING (run_id, cell)"
        order = "ORDER BY p.place, m.scheme, m.cohort, m.metric"
        overall = connection.sql(f"{joined} WHERE {ALL} {order}").to_arrow_table()
        others = [
            connection.sql(f"{joined} WHERE m.run_id = ? AND NOT ({ALL}) {order}", params=[run.run_id]).to_arrow_table()
            for run in stored.runs
        ]
    return overall, others


def measurement_columns(table: pa.Table) -> dict[str, Any]:
    """Measurements as columns, with their number of rows as ``n_rows``."""
    return arrow_columns(table) | {"n_rows": table.num_rows}


def metric_rows(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each metric its unit as shown, direction, kind, meaning, title and how its digits are written."""
    titles = {column.metric: column.title for columns in report.COLUMNS.values() for column in columns}
    found = {}
    for name in names:
        known = METRICS.get(name)
        about = {"better": known.better, "kind": known.kind, "text": known.description} if known else {"better": "none"}
        found[name] = about | {"unit": unit(name), "form": form(name), "title": titles.get(name, name)}
    return found


def task_rows() -> dict[str, dict[str, Any]]:
    """Of each task the headline metric, the gap, the columns of its table at first, and the metrics of its ledger."""
    return {
        task: {"headline": report.HEADLINE[task], "gap": report.GAP[task], "columns": [c.metric for c in columns]}
        | {"ledger": asdict(ledgers.NAMES.get(task, ledgers.OF_WORDS))}
        for task, columns in report.COLUMNS.items()
    }


def _across(rows: Sequence[tuple[Any, ...]], n: int) -> list[list[Any]]:
    """Rows of ``n`` fields as columns."""
    return [[row[at] for row in rows] for at in range(n)]
