"""The result tables on disk: where they are, how they are written, and nothing about what they mean.

``results/v1/<suite>/<run>/`` holds ``run.json``, ``plan.json``, ``cells.jsonl``, ``measurements.jsonl`` and
``observations/<cell>/<table>.parquet``. Workers write under ``partial/<cell>/`` and rename once; the driver writes the
other files whole, sorted, by ``os.replace``. A kill or a full disk costs the current cell and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from earmark.bench.api import InputError
from earmark.bench.disk import sha256_of, write_atomic
from earmark.bench.planning import Planned, corpus_label
from earmark.bench.rows import SCHEMA_VERSION, Cell, Measurement, Run
from earmark.bench.suite import Suite

PRUNED = "pruned.json"
"""In a run whose observations or logs were taken away to save space: which of them, and when."""
R = TypeVar("R", bound=BaseModel)
Kind = Literal["run", "plan", "cell", "measurement"]
Upgrade = Callable[[Kind, Any], Any]
UPGRADES: Mapping[int, Upgrade] = {}
"""By N, ``upgrade_to_N``: what makes version N of ``run.json``, ``plan.json`` or a line of a table, as plain JSON, of
version N - 1. A committed run of every version is its test (``tests/stored``). Empty while there is one version."""


def upgraded(kind: Kind, row: Any, version: int) -> Any:
    """A row of an earlier schema version as this version writes it, one step at a time."""
    for step in range(version + 1, SCHEMA_VERSION + 1):
        row = UPGRADES[step](kind, row)
    return row


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run was asked to do: enough to score it again without a model or a corpus."""

    suite: Suite
    cells: tuple[Planned, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is published: of a corpus folder's path only the last part."""
        suite = self.suite.model_dump(mode="json", by_alias=True)
        for block in suite["measure"]:
            block["corpus"] = [corpus_label(corpus) for corpus in block["corpus"]]
        for block in suite["train"]:
            block["corpus"] = corpus_label(block["corpus"]) if block["corpus"] else None
        return {"suite": suite, "cells": [cell.model_dump(mode="json") for cell in self.cells]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        return cls(Suite.model_validate(data["suite"]), tuple(Planned.model_validate(c) for c in data["cells"]))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    def observations(self, cell: str) -> Path:
        return self.path / "observations" / cell

    def partial(self, cell: str) -> Path:
        """A fresh folder for a worker; what a killed one left is cleared away."""
        folder = self.path / "partial" / cell
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def publish(self, cell: str) -> None:
        """Rename a worker's finished folder to its place, once."""
        target = self.observations(cell)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(self.path / "partial" / cell, target)

    def clear_partial(self) -> None:
        shutil.rmtree(self.path / "partial", ignore_errors=True)

    @property
    def version(self) -> int:
        """The schema version that the run was written in; this one's where ``run.json`` doesn't say."""
        path = self.path / "run.json"
        told = read_json(path) if path.is_file() else {}
        version = told.get("schema_version", SCHEMA_VERSION) if isinstance(told, dict) else SCHEMA_VERSION
        if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
            what = f"schema version {version}, this earmark reads 1 to {SCHEMA_VERSION}"
            raise InputError(what, where=str(path), fix="install a newer earmark")
        return version

    def read_run(self) -> Run:
        version = self.version
        return _read_model(self.path / "run.json", Run, lambda row: upgraded("run", row, version))

    def write_run(self, run: Run) -> None:
        write_text(self.path / "run.json", run.model_dump_json(indent=1) + "\n")

    def read_plan(self) -> Plan:
        return Plan.from_json(upgraded("plan", read_json(self.path / "plan.json"), self.version))

    def write_plan(self, plan: Plan) -> None:
        write_text(self.path / "plan.json", json.dumps(plan.to_json(), indent=1, sort_keys=True) + "\n")

    def read_cells(self) -> list[Cell]:
        return self._rows("cells.jsonl", Cell, "cell")

    def write_cells(self, cells: Iterable[Cell]) -> None:
        write_lines(self.path / "cells.jsonl", (cell.line() for cell in sorted(cells, key=lambda cell: cell.cell)))

    def read_measurements(self) -> list[Measurement]:
        return self._rows("measurements.jsonl", Measurement, "measurement")

    def _rows(self, name: str, row: type[R], kind: Kind) -> list[R]:
        version = self.version
        if version == SCHEMA_VERSION:
            return read_rows(self.path / name, row)
        return read_rows(self.path / name, row, lambda found: upgraded(kind, found, version))

    def write_measurements(self, rows: Iterable[Measurement]) -> None:
        ordered = sorted(rows, key=lambda row: (row.cell, row.scheme, row.cohort, row.metric))
        write_lines(self.path / "measurements.jsonl", (row.line() for row in ordered))

    def file_digests(self) -> dict[str, str]:
        """sha256 of every file that a reader relies on, by path inside the run."""
        files = [p for p in self.path.rglob("*") if p.is_file() and p.name not in ("run.json", PRUNED, ".lock")]
        kept = [p for p in files if p.relative_to(self.path).parts[0] not in ("partial", "logs")]
        return {p.relative_to(self.path).as_posix(): sha256_of(p) for p in sorted(kept)}


def run_id(started: datetime, host: str, sha: str | None, dirty: bool | None) -> str:
    """``YYYYMMDDTHHMMSSZ-<host6>-<sha7>[-dirty]``."""
    stamp = started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{host[:6]}-{(sha or 'unknown')[:7]}{'-dirty' if dirty else ''}"


def new_folder(results: Path, suite: str, name: str) -> RunFolder:
    """A folder for a new run; a name that is taken (two runs in one second) gets the next free number."""
    parent = results / f"v{SCHEMA_VERSION}" / suite
    for attempt in range(1, 1000):
        path = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(
                f"can't be written: {error.strerror}", where=str(path), fix="choose --results DIR"
            ) from error
        return RunFolder(path)
    raise InputError("no free name for a run", where=str(parent), fix="wait a second")


def run_folders(results: Path, suite: str | None = None) -> list[RunFolder]:
    """Runs with a ``run.json``, oldest first."""
    versions = [results / f"v{version}" for version in range(1, SCHEMA_VERSION + 1)]
    found = [path for folder in versions for path in folder.glob(f"{suite or '*'}/*/run.json")]
    return [RunFolder(path.parent) for path in sorted(found, key=lambda path: path.parent.name)]


def read_rows(path: Path, row: type[R], upgrade: Callable[[Any], Any] | None = None) -> list[R]:
    """The rows of a JSONL file, brought up to date where they are older; none where there is no file."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        try:
            found = row.model_validate_json(line) if upgrade is None else row.model_validate(upgrade(json.loads(line)))
            rows.append(found)
        except ValidationError as error:
            raise InputError(_first(error), where=f"{path}:{number}", fix="restore the file or run again") from error
        except ValueError as error:
            raise InputError(
                f"no JSON: {error}", where=f"{path}:{number}", fix="restore the file or run again"
            ) from error
    return rows


@contextmanager
def up_to_date(folders: Sequence[RunFolder]) -> Iterator[list[RunFolder]]:
    """The runs with files of this version: themselves, or copies of older ones' tables as long as this lasts."""
    with TemporaryDirectory() as scratch:
        yield [f if f.version == SCHEMA_VERSION else _copy(f, Path(scratch) / str(i)) for i, f in enumerate(folders)]


def _copy(folder: RunFolder, root: Path) -> RunFolder:
    copy = RunFolder(root / folder.path.parent.name / folder.path.name)
    copy.write_run(folder.read_run())
    copy.write_cells(folder.read_cells())
    copy.write_measurements(folder.read_measurements())
    return copy


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read: {error}", where=str(path), fix="restore the file or run again") from error


def write_lines(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    write_atomic(path, text.encode())


def tree_digest(paths: Sequence[Path], root: Path) -> str:
    """Digest (16 digits) of some files' names (below ``root``) and bytes."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.relative_to(root).as_posix()}\0{sha256_of(path)}\n".encode())
    return whole.hexdigest()[:16]


def _read_model(path: Path, model: type[R], upgrade: Callable[[Any], Any]) -> R:
    try:
        return model.model_validate(upgrade(read_json(path)))
    except ValidationError as error:
        raise InputError(_first(error), where=str(path), fix="restore the file or run again") from error


def _first(error: ValidationError) -> str:
    item = error.errors()[0]
    return f"{'.'.join(map(str, item['loc'])) or 'row'}: {item['msg'].lower()}"
