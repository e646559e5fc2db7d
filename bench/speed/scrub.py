"""Takes the interpreter's path out of asv's results: asv names an existing environment after it and publishes that.

``python -m earmark.bench.speed.scrub results/asv`` renames ``SHA-existing-py_home_me_bin_python.json`` to
``SHA-existing-py3.11.json`` and changes the name inside. Files that are clean already are left as they are.
"""

from __future__ import annotations

import json
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
    if target.is_file():  # an earlier, scrubbed run of other benchmarks of this commit
        data["results"] = json.loads(target.read_text(encoding="utf-8"))["results"] | data["results"]
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data), encoding="utf-8")
    partial.replace(target)
    path.unlink()
    return target


def _version(data: dict[str, Any]) -> str:
    """The version of Python, which asv stores beside or in place of the interpreter's path."""
    for found in (data.get("python"), data.get("params", {}).get("python")):
        if found and re.fullmatch(r"\d+\.\d+(\.\d+)?", str(found)):
            return str(found)
    return f"{sys.version_info.major}.{sys.version_info.minor}"


if __name__ == "__main__":
    for name in scrub(Path(sys.argv[1])):
        print(name)
