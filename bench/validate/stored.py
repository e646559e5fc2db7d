"""A run as it lies on disk, read strictly: every file that is not what the schema says is a problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earmark.bench.api import InputError
from earmark.bench.metrics.names import METRICS
from earmark.bench.planning import Planned
from earmark.bench.rows import SCHEMA_VERSION, Cell, Measurement, Run
from earmark.bench.score import score_cell
from earmark.bench.store import PRUNED, Plan, RunFolder, read_json
from earmark.bench.tables import SCHEMAS, read_table

ADDED_LATER = {"chunks": {"device_s"}}
"""Columns, by table, that earlier runs of this schema version have not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a run is refused: the check, the place and what is wrong there."""

    check: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.what}"


@dataclass(frozen=True)
class Stored:
    """A run whose JSON files could be read."""

    folder: RunFolder
    run: Run
    plan_json: Mapping[str, Any]
    plan: Plan
    cells: tuple[Cell, ...]
    measurements: tuple[Measurement, ...]

    @classmethod
    def read(cls, folder: RunFolder) -> Stored:
        """Raises InputError at the first file that isn't of the schema."""
        for name in ("run.json", "plan.json", "cells.jsonl", "measurements.jsonl"):
            if not (folder.path / name).is_file():
                raise InputError("there is no such file", where=str(folder.path / name))
        plan_json, rows = read_json(folder.path / "plan.json"), (folder.read_cells(), folder.read_measurements())
        try:
            plan = Plan.from_json(plan_json)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"no plan: {str(error).splitlines()[0]}", where=str(folder.path / "plan.json")) from error
        return cls(folder, folder.read_run(), plan_json, plan, tuple(rows[0]), tuple(rows[1]))

    @cached_property
    def planned(self) -> dict[str, Planned]:
        return {cell.cell: cell for cell in self.plan.cells}

    @cached_property
    def pruned(self) -> str | None:
        """When its observations were taken away to save space; None where they are there, whatever is noted."""
        note = self.folder.path / PRUNED
        if not note.is_file() or (self.folder.path / "observations").exists():
            return None
        when = read_json(note).get("observations")
        return None if when is None else str(when)

    @cached_property
    def scored_again(self) -> dict[str, list[Measurement] | str]:
        """By cell, its rows computed anew from its observations, or why they can't be."""
        found: dict[str, list[Measurement] | str] = {}
        for cell in () if self.pruned else self.cells:
            planned = self.planned.get(cell.cell)
            if planned is not None:
                try:
                    found[cell.cell] = score_cell(cell, planned, self.folder, self.run.normalizer)
                except Exception as error:  # whatever a damaged table makes of the scorers, it is refused
                    found[cell.cell] = f"can't be scored: {type(error).__name__}: {error}".splitlines()[0]
        return found

    def table(self, cell: str, name: str) -> pa.Table:
        """A cell's observation table, empty where it has none."""
        return read_table(self.folder.observations(cell), name)

    @property
    def heard(self) -> Iterator[Cell]:
        """Cells that went well and have observations."""
        return (cell for cell in self.cells if cell.status == "ok" and self.folder.observations(cell.cell).is_dir())


# --- schema -------------------------------------------------------------------------------------------------------


def schema(stored: Stored) -> Iterator[Problem]:
    """Versions, names and units are those of the schema, no row is there twice, every table has its columns."""
    versions = {stored.run.schema_version, *(cell.schema_version for cell in stored.cells)}
    if versions != {SCHEMA_VERSION}:
        yield Problem("schema", "run.json, cells.jsonl", f"schema_version is {sorted(versions)}, not {SCHEMA_VERSION}")
    for name, count in Counter(cell.cell for cell in stored.cells).items():
        if count > 1:
            yield Problem("schema", "cells.jsonl", f"{count} rows of cell {name}")
    keys = Counter((row.cell, row.scheme, row.cohort, row.metric) for row in stored.measurements)
    for key, count in keys.items():
        if count > 1:
            yield Problem("schema", "measurements.jsonl", f"{count} rows of {' '.join(key)}")
    yield from _metrics(stored.measurements)
    for path in sorted((stored.folder.path / "observations").glob("*/*")):
        yield from _table(stored.folder.path, path)


def _metrics(rows: Iterable[Measurement]) -> Iterator[Problem]:
    for name in dict.fromkeys((row.metric, row.unit, row.better) for row in rows):
        metric, unit, better = name
        known = METRICS.get(metric)
        if known is None:
            yield Problem("schema", "measurements.jsonl", f"no metric is called {metric}")
        elif (unit, better) != (known.unit, known.better):
            yield Problem(
                "schema", "measurements.jsonl",
                f"{metric} is in {known.unit}, {known.better} is better; not {unit}, {better}",
            )  # fmt: skip


def _table(root: Path, path: Path) -> Iterator[Problem]:
    where, name = path.relative_to(root).as_posix(), path.stem
    if path.suffix != ".parquet" or name not in SCHEMAS:
        yield Problem("schema", where, "there is no such table")
        return
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        yield Problem("schema", where, f"can't be read: {str(error).splitlines()[0]}")
        return
    differing = _differing(name, found)
    if differing:
        yield Problem("schema", where, f"not its columns: {', '.join(f'{n} ({t})' for n, t in differing)}")
        return
    yield from _content(where, pq.read_table(path), path.parent.name)


def _differing(name: str, found: pa.Schema) -> list[tuple[str, str]]:
    """Columns and types that are there or in the schema, and not in the other."""
    later = ADDED_LATER.get(name, set()) - set(found.names)
    wanted = {field.name: field.type for field in SCHEMAS[name] if field.name not in later}
    there = {field.name: field.type for field in found}
    names = [key for key in sorted({*wanted, *there}) if wanted.get(key) != there.get(key)]
    return [(key, str(there.get(key) or f"no {wanted[key]}")) for key in names]


def _content(where: str, table: pa.Table, cell: str) -> Iterator[Problem]:
    strangers = set(pc.unique(table["cell"]).to_pylist()) - {cell}
    if strangers:
        yield Problem("schema", where, f"rows of another cell: {', '.join(map(str, sorted(strangers, key=str)))}")
    for field in table.schema:
        column = pc.drop_null(table[field.name])
        if field.type == pa.float64() and len(column) and not pc.all(pc.is_finite(column)).as_py():
            yield Problem("schema", where, f"{field.name} holds NaN or infinity")


# --- hashes -------------------------------------------------------------------------------------------------------


def hashes(stored: Stored) -> Iterator[Problem]:
    """Every file is the one that ``run.json`` lists, and lists every file."""
    listed = stored.run.files
    there = stored.folder.file_digests()
    for name in sorted(listed.keys() - there.keys()):
        if stored.pruned and name.startswith("observations/"):
            continue
        yield Problem("hashes", name, "listed in run.json and not there")
    for name in sorted(there.keys() - listed.keys()):
        yield Problem("hashes", name, "there and not listed in run.json")
    for name in sorted(there.keys() & listed.keys()):
        if there[name] != listed[name]:
            yield Problem("hashes", name, f"its sha256 is {there[name][:12]}..., run.json says {listed[name][:12]}...")
