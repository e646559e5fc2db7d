"""Figures that papers report, from ``published.toml``: rows of their own kind, which compete with nothing measured."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("published.toml")


def reported_rows() -> list[dict[str, Any]]:
    """One row a system and condition: task, corpus, plugin, what it is called there, source, and its figures."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for paper in tomllib.loads(TABLE.read_text(encoding="utf-8"))["paper"]:
        times = 0.01 if paper.get("percent") else 1.0
        for plugin, variant, *figures in paper["rows"]:
            for condition, figure in zip(paper["columns"], figures, strict=True):
                key = (paper["task"], paper["corpus"], condition, plugin, variant, paper["source"])
                names = ("task", "corpus", "condition", "plugin", "variant", "source")
                row = found.setdefault(key, {**dict(zip(names, key, strict=True)), "figures": {}})
                row["figures"][paper["metric"]] = float(f"{figure * times:.12g}")
    return list(found.values())
