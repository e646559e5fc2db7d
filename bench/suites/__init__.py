"""Suites that ship with earmark: one TOML file each."""

from __future__ import annotations

import tomllib
from pathlib import Path


def described() -> dict[str, str]:
    """Name and one-line description of each suite."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        found[path.stem] = str(tomllib.loads(path.read_text(encoding="utf-8")).get("description", ""))
    return found
