"""The JSON Schemas of suites and result rows, as they stand in ``docs/schema``.

``python -m earmark.bench.schemas docs/schema`` writes them again; a test says when they are out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from earmark.bench.rows import SCHEMA_VERSION, Cell, Measurement, Run
from earmark.bench.suite import Suite
from earmark.bench.tables import SCHEMAS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ROWS: dict[str, tuple[type[BaseModel], str]] = {
    "cell": (Cell, "a line of cells.jsonl"),
    "measurement": (Measurement, "a line of measurements.jsonl"),
    "run": (Run, "run.json"),
}


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and content of every schema."""
    for name, (model, what) in _ROWS.items():
        title = f"earmark {what}, schema version {SCHEMA_VERSION}"
        schema = model.model_json_schema(mode="serialization")
        yield f"{name}.schema.json", {"$schema": _DIALECT, **schema, "title": title}
    suite = Suite.model_json_schema(by_alias=True)
    yield "suite.schema.json", {"$schema": _DIALECT, **suite, "title": "earmark suite file, as JSON"}
    tables = {name: {field.name: str(field.type) for field in schema} for name, schema in SCHEMAS.items()}
    yield "observations.json", {"title": "columns and Arrow types of the observation tables", "tables": tables}


def write(folder: Path) -> list[Path]:
    """Write every schema into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in schemas():
        (folder / name).write_text(text(content), encoding="utf-8")
        paths.append(folder / name)
    return paths


def text(content: dict[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
