"""What the page says of its own numbers: rankings that hang on a rule, levels that changed, and what people noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from earmark.bench import linter, report, steps
from earmark.bench.annotations import read_annotations
from earmark.bench.api import Unsupported
from earmark.bench.board.numbers import Stored
from earmark.bench.rows import Measurement

TREND = [column.metric for columns in report.COLUMNS.values() for column in columns]
"""Metrics whose history is searched for steps: those that tables begin with."""


def flips(stored: Stored, overall: pa.Table) -> list[dict[str, Any]]:
    """Pairs of cells (places in :attr:`Stored.cells`) whose order is the other way round by another rule, in words.

    ``overall`` has the measurements over everybody.
    """
    wanted = {*linter.VARIANTS, *(name for names in linter.VARIANTS.values() for name in names)}
    by_cell: dict[int, list[Measurement]] = {}
    for row in overall.select(["cell", "metric", "value"]).to_pylist():
        if row["metric"] in wanted and row["value"] is not None:
            by_cell.setdefault(row["cell"], []).append(_measurement(stored, row))
    return [found for run in range(len(stored.runs)) for found in _flips_of(stored, run, by_cell)]


def _flips_of(stored: Stored, run: int, by_cell: dict[int, list[Measurement]]) -> Iterator[dict[str, Any]]:
    places = {cell.cell: place for place, (of, cell) in enumerate(stored.cells) if of == run}
    views = (report.CellView(stored.cells[at][1], tuple(by_cell[at])) for at in places.values() if at in by_cell)
    for group in report.RunView(stored.runs[run], tuple(views)).groups:
        for flip in linter.flips(group):
            yield {"cells": [places[name] for name in flip.cells], "metric": flip.metric, "text": flip.text}


def _measurement(stored: Stored, row: dict[str, Any]) -> Measurement:
    cell = stored.cells[row["cell"]][1].cell
    return Measurement.model_construct(cell=cell, metric=row["metric"], value=row["value"])


def trend(results: Path, stored: Stored, names: Sequence[str]) -> list[dict[str, Any]] | None:
    """Steps in the metrics of ``names`` over the stored runs, each at the cell with which it came.

    None where nobody can tell, since asv is not installed.
    """
    places = {(stored.runs[run].run_id, cell.cell): place for place, (run, cell) in enumerate(stored.cells)}
    looked = [name for name in TREND if name in names]
    try:
        found = steps.history(results, metrics=looked, folders=stored.folders) if looked else []
    except Unsupported:
        return None
    return [
        {"cell": places[step.run_id, series.points[step.index].cell], "metric": series.key["metric"]}
        | {name: getattr(step, name) for name in ("verdict", "before", "after", "n_after", "notes", "expected")}
        for series in found
        for step in series.steps
    ]


def notes(results: Path) -> list[dict[str, Any]]:
    """The annotations, in the order of their file."""
    return [found.model_dump(mode="json") for found in read_annotations(results)]
