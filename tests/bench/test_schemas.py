from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import runs
from jsonschema import Draft202012Validator

from earmark.bench import rows, schemas, tables

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs" / "schema"


@cache
def validator(name: str) -> Any:
    schema = json.loads((PUBLISHED / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize(("name", "content"), list(schemas.schemas()), ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_published_is_current(name: str, content: dict[str, object]) -> None:
    assert (PUBLISHED / name).read_text(encoding="utf-8") == schemas.text(content), (
        "python -m earmark.bench.schemas docs/schema"
    )


def test_nothing_else_is_published() -> None:
    assert {path.name for path in PUBLISHED.iterdir()} == {name for name, _ in schemas.schemas()}


def test_rows_as_written_satisfy_their_schema() -> None:
    for cell in runs.cells():
        validator("cell").validate(json.loads(cell.line()))
    for row in runs.measurements():
        validator("measurement").validate(json.loads(row.line()))
    run = json.loads(runs.run_row().line())
    validator("run").validate(run)
    assert not validator("run").is_valid(run | {"surplus": 1})


def test_suites_that_ship_satisfy_the_schema() -> None:
    for path in (ROOT / "bench" / "suites").glob("*.toml"):
        validator("suite").validate(tomllib.loads(path.read_text()))


def test_the_page_in_words_names_every_field() -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    models = (rows.Cell, rows.Measurement, rows.Run, rows.PluginInfo, rows.CorpusInfo, rows.Host, rows.Environment)
    fields = {name for model in models for name in model.model_fields} | set(tables.SCHEMAS)
    assert {name for name in fields if f"`{name}`" not in text} == set()
    columns = {name for schema in tables.SCHEMAS.values() for name in schema.names}
    assert {name for name in columns if not re.search(rf"\b{name}\b", text)} == set()
    statuses = text.partition("### Statuses")[2]
    assert {status for status in get_args(rows.Status) if f"`{status}`" not in statuses} == set()
