"""The result tables as SQL: DuckDB over every stored run, and finding a run by what a user typed.

:func:`connect` gives ``runs``, ``cells``, ``measurements`` and ``flat``. ``flat`` joins them: one row a measurement
with all columns of its cell and where it was made; a cell without measurements keeps one row, so that nothing that
was planned vanishes. Where a cell and a measurement have a field of one name, the cell's is called ``cell_...``
(``cell_status``, ``cell_scheme``). The tables are a snapshot taken when connecting; values in queries are always
bound parameters.
"""

from __future__ import annotations

import glob
import json
import types
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import duckdb
from pydantic import BaseModel

from earmark.bench.api import InputError
from earmark.bench.rows import Cell, Measurement, Run
from earmark.bench.store import RunFolder, run_folders, up_to_date

LATEST = "latest"
_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
_SHARED = (Cell.model_fields.keys() & Measurement.model_fields.keys()) - {"cell"}
_PLACE = ("git_sha", "git_dirty", "earmark_version", "started_at")


# --- tables -------------------------------------------------------------------------------------------------------


def connect(results: Path, folders: Sequence[RunFolder] | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory database of the runs below ``results`` (or just of ``folders``); empty tables where there are none.

    Raises:
        InputError: a stored file can't be read; the message names the file and, where known, the line.
    """
    chosen = run_folders(results) if folders is None else list(folders)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    connection = duckdb.connect(config=settings)
    try:
        with up_to_date(chosen) as current:
            _load(connection, "runs", Run, current, "run.json", "auto")
            _load(connection, "cells", Cell, current, "cells.jsonl", "newline_delimited")
            _load(connection, "measurements", Measurement, current, "measurements.jsonl", "newline_delimited")
    except duckdb.Error as error:
        raise _explain(chosen, error) from error
    connection.execute("SET enable_external_access = false")
    connection.execute(_flat())
    return connection


def records(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries; JSON columns arrive as text."""
    cursor = connection.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def flat_rows(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows of ``flat`` for one run, ready for JSON."""
    with connect(folder.path, [folder]) as connection:
        rows = records(connection, "SELECT * FROM flat ORDER BY cell, scheme, cohort, metric")
    return [row | {"options": json.loads(row["options"] or "{}")} for row in rows]


def columns(model: type[BaseModel]) -> dict[str, str]:
    """DuckDB type of each field of a row; whatever is nested is JSON."""
    return {name: _sql_type(field.annotation) for name, field in model.model_fields.items()}


def _load(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    model: type[BaseModel],
    folders: Sequence[RunFolder],
    file: str,
    form: str,
) -> None:
    """One table from one file of each run; the names of tables and columns are ours, the paths are parameters."""
    types_ = columns(model)
    declared = ", ".join(f"{name} {kind}" for name, kind in types_.items())
    paths = [path for folder in folders if (path := folder.path / file).is_file() and path.stat().st_size]
    of_run = table != "runs"
    connection.execute(f"CREATE TABLE {table} ({'run_id VARCHAR, suite VARCHAR, ' if of_run else ''}{declared})")
    if not paths:
        return
    structure = ", ".join(f"{name}: '{kind}'" for name, kind in types_.items())
    origin = "parse_path(filename)[-2], parse_path(filename)[-3], " if of_run else ""
    connection.execute(
        f"INSERT INTO {table} SELECT {origin}{', '.join(types_)} FROM "
        f"read_json(?, format='{form}', columns={{{structure}}}, filename=true)",
        [[glob.escape(str(path.resolve())) for path in paths]],
    )


def _flat() -> str:
    cell = ", ".join(f"c.{n} AS cell_{n}" if n in _SHARED else f"c.{n}" for n in Cell.model_fields)
    own = [n for n in Measurement.model_fields if n not in ("cell", "status")]
    place = ", ".join(f"r.{n}" for n in _PLACE)
    return (
        f"CREATE VIEW flat AS SELECT c.run_id, c.suite, {place}, r.host->>'$.id' AS host_id, "
        f"r.host->>'$.cpu_model' AS cpu_model, r.host->>'$.gpu_model' AS gpu_model, {cell}, "
        f"{', '.join(f'm.{n}' for n in own)}, coalesce(m.status, c.status) AS status "
        "FROM cells c LEFT JOIN runs r USING (run_id, suite) LEFT JOIN measurements m USING (run_id, suite, cell)"
    )


def _sql_type(annotation: Any) -> str:
    inner = [arm for arm in get_args(annotation) if arm is not type(None)]
    if get_origin(annotation) in (Union, types.UnionType):
        return _sql_type(inner[0])
    if hasattr(annotation, "__metadata__"):
        return _sql_type(annotation.__origin__)
    if annotation == list[str]:
        return "VARCHAR[]"
    if inner and all(isinstance(arm, str) for arm in inner):  # Literal
        return "VARCHAR"
    return _TYPES.get(annotation, "JSON")


def _explain(folders: Sequence[RunFolder], error: duckdb.Error) -> InputError:
    """The strict reader names the file and line at fault; DuckDB's own words where it finds nothing."""
    try:
        for folder in folders:
            folder.read_run(), folder.read_cells(), folder.read_measurements()
    except InputError as exact:
        return exact
    return InputError(f"can't be read: {str(error).splitlines()[0]}", where="results", fix="restore it or run again")


# --- finding runs -------------------------------------------------------------------------------------------------


def newest_run(results: Path, suite: str | None = None) -> Path:
    """Folder of the run that was started last."""
    folders = run_folders(results, suite)
    if not folders:
        what = f"of the suite {suite!r}" if suite else "are stored"
        raise InputError(
            f"no runs {what}", where=str(results), fix="earmark run smoke makes one, --results looks elsewhere"
        )
    return folders[-1].path


def find_run(results: Path, text: str) -> Path:
    """Folder of the run that ``text`` names: ``latest``, an id, its beginning, ``suite/id``, or the folder itself.

    Raises:
        InputError: nothing or more than one run answers to it.
    """
    if text == LATEST:
        return newest_run(results)
    if (Path(text) / "run.json").is_file():
        return Path(text)
    folders = [folder.path for folder in run_folders(results)]
    exact = [path for path in folders if text in (path.name, _label(path))]
    found = exact or [path for path in folders if text and path.name.startswith(text)]
    if len(found) == 1:
        return found[0]
    raise _ambiguous(text, found, results) if found else _unknown(text, folders, results)


def _label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _ambiguous(text: str, found: Sequence[Path], results: Path) -> InputError:
    names = ", ".join(_label(path) for path in found[:4]) + (", ..." if len(found) > 4 else "")
    return InputError(f"{len(found)} runs answer to {text!r}", where=str(results), fix=f"say which: {names}")


def _unknown(text: str, folders: Sequence[Path], results: Path) -> InputError:
    names = [path.name for path in folders]
    near = get_close_matches(text, [*names, *(_label(path) for path in folders)], n=3, cutoff=0.5) or names[-3:]
    fix = f"there is {', '.join(near)}" if near else "earmark run smoke makes one, --results looks elsewhere"
    return InputError(f"no run answers to {text!r}", where=str(results), fix=fix)
