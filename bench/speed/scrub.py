"""Makes asv's results fit to publish: without the interpreter's path, and without NaN.

asv names an existing environment after its path and publishes that, and writes NaN, which is no JSON, for a benchmark
that was skipped. A benchmark without any number is left out, one of several numbers becomes null.

``python -m earmark.bench.speed.scrub results/asv`` renames ``SHA-existing-py_home_me_bin_python.json`` to
``SHA-existing-py3.11.json`` and changes the name inside. Files that are clean already are left as they are.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

_NAMED_BY_PATH = re.compile(r"existing-py_")


def scrub(results: Path) -> list[Path]:
    """Scrub every result file below ``results``; returns the files as they are called now."""
    return [_scrub_file(path) for path in sorted(results.glob("*/*.json")) if _NAMED_BY_PATH.search(path.name)]


def _scrub_file(path: Path) -> Path:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    neutral = f"existing-py{_version(data)}"
    data["env_name"] = neutral
    data["python"] = data["params"]["python"] = _version(data)
    target = path.with_name(f"{data['commit_hash'][:8]}-{neutral}.json")
    data["results"] = {name: row for name, row in map(_finite, data["results"].items()) if row is not None}
    if target.is_file():  # an earlier, scrubbed run of other benchmarks of this commit
        data["results"] = json.loads(target.read_text(encoding="utf-8"))["results"] | data["results"]
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data, allow_nan=False), encoding="utf-8")
    partial.replace(target)
    path.unlink()
    return target


def _finite(item: tuple[str, Any]) -> tuple[str, Any]:
    """A row of results with None in the place of NaN; None for the row if it holds no number at all."""
    name, row = item
    values = row[0] if isinstance(row, list) and row and isinstance(row[0], list) else None
    if values is not None and not any(_is_number(value) for value in values):
        return name, None
    return name, _without_nan(row)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _version(data: dict[str, Any]) -> str:
    """The version of Python, which asv stores beside or in place of the interpreter's path."""
    for found in (data.get("python"), data.get("params", {}).get("python")):
        if found and re.fullmatch(r"\d+\.\d+(\.\d+)?", str(found)):
            return str(found)
    return f"{sys.version_info.major}.{sys.version_info.minor}"


if __name__ == "__main__":
    for name in scrub(Path(sys.argv[1])):
        print(name)
