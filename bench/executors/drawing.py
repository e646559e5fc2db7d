"""The job of a worker in which a cohort finder is tried in worlds without audio: one row a draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from earmark.bench import registry
from earmark.bench.planning import Planned
from earmark.bench.tables import Writer
from earmark.bench.worlds.plan import world_of
from earmark.bench.worlds.power import measure


def draw_worlds(job: Mapping[str, Any], report: Callable[[Mapping[str, Any]], None]) -> tuple[list[str], list[str]]:
    """Play the cell's draws and write what came of each; draws that an earlier run played are not played again."""
    cell = Planned.model_validate(job["cell"])
    assert cell.world is not None
    folder = Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    if job.get("only_timed"):
        return [], []
    plugin = registry.scan(tuple(Path(p) for p in job["plugin_files"])).named(cell.plugin, "fairness")
    finder = registry.resolve(plugin.spec)(options=cell.options)

    def advance(done: int, total: int, what: str) -> None:
        report({"done": done, "total": total, "what": what})

    truth, n_draws = cell.world["truth"], cell.world["draws"]
    outcomes = measure(finder.fit, world_of(cell.world), truth, n_draws=n_draws, seed=cell.seed, progress=advance)
    with Writer(folder, cell.cell) as writer:
        for outcome in outcomes:
            row = asdict(outcome)
            writer.add("draws", draw=row.pop("seed"), **row)
    return [], []
