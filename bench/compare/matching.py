"""Which cells of two runs are about the same thing; unlike ones are refused, saying what differs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.bench import query, report
from earmark.bench.api import InputError
from earmark.bench.planning import Planned
from earmark.bench.rows import Cell, Measurement, Run
from earmark.bench.store import RunFolder

MODEL = ("preset", "options", "train_corpus", "steps", "labels", "mitigation", "cohort_input", "seed")
"""What makes a model: free where the two models to compare are named."""
PLACE = (
    "corpus_fingerprint", "split", "condition", "device", "backend", "precision", "threads", "chunk_ms", "pacing",
    "passes",
)  # fmt: skip
"""Circumstances that must be the same on both sides."""
SELECTION = ("limit", "exclude", "timing_recordings")
"""Choices of recordings, kept in the plan, that must be the same."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a run, or some of its cells."""

    folder: RunFolder
    run: Run
    cells: tuple[Cell, ...]
    planned: Mapping[str, Planned]
    model: str | None

    @classmethod
    def read(cls, results: Path, text: str) -> Side:
        """The run that ``text`` names; with ``:MODEL`` behind it the cells of a plugin, or the cell that begins so."""
        name, model = _split(text)
        folder = RunFolder(query.find_run(results, name))
        run, cells = folder.read_run(), folder.read_cells()
        planned = {cell.cell: cell for cell in folder.read_plan().cells}
        chosen = [c for c in cells if model is None or model == c.plugin or c.cell.startswith(model)]
        if not cells:
            raise InputError(
                "no cell is finished yet", where=folder.run_id, fix="finish the run: earmark run continues it"
            )
        if not chosen:
            names = ", ".join(sorted({cell.plugin for cell in cells})) or "none"
            raise InputError(f"no model or cell is called {model!r}", where=folder.run_id, fix=f"there is {names}")
        return cls(folder, run, tuple(chosen), planned, model)

    def measurements(self) -> dict[str, list[Measurement]]:
        found: dict[str, list[Measurement]] = defaultdict(list)
        for row in self.folder.read_measurements():
            found[row.cell].append(row)
        return found

    @property
    def same_machine(self) -> tuple[Any, ...]:
        """What timings depend on: equal where they may be compared."""
        host = self.run.host
        return host.id, host.cpu_model, host.gpu_model


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells that may be compared."""

    a: Cell
    b: Cell

    @property
    def label(self) -> str:
        """The model, or both models, and what tells this pair from others."""
        return f"{self.model_and_place}, seed {self.a.seed}"

    @property
    def model_and_place(self) -> str:
        """The label without the seed."""
        one, other = (report.CellView(cell, ()).label for cell in (self.a, self.b))
        about = f"{self.a.corpus}/{self.a.split} {self.a.condition} {self.a.device}"
        told = {} if self.a.cohort_input == "none" else {"cohort": self.a.cohort_input}
        extra = "".join(f", {k} {v}" for k, v in {**self.a.options, **told}.items())
        model = one if one == other else f"{one} / {other}"
        chunk = f", {self.a.chunk_ms} ms" if self.a.chunk_ms else ""
        return f"{model} ({about}{chunk}{extra})"


@dataclass(frozen=True, slots=True)
class Matched:
    """Pairs, and the cells that only one side has."""

    pairs: tuple[Pair, ...]
    only_a: tuple[Cell, ...]
    only_b: tuple[Cell, ...]


def match(a: Side, b: Side) -> Matched:
    """Pair the cells of two sides.

    Cells pair where model and circumstances are the same; where both sides name a model, where circumstances are. One
    that the other side has under other circumstances only is refused; one that it has not at all is left over.

    Raises:
        InputError: the sides differ in normalizer, corpora, devices or settings, or nothing is about the same model.
    """
    if a.run.normalizer != b.run.normalizer:
        fix = f"earmark score {b.folder.run_id} --normalizer {a.run.normalizer}"
        raise InputError(f"normalizer is {a.run.normalizer} in A and {b.run.normalizer} in B", where="compare", fix=fix)
    named = a.model is not None and b.model is not None
    rest = list(b.cells)
    pairs, left = [], []
    for cell in a.cells:
        twins = [other for other in rest if _key(a, cell, named) == _key(b, other, named)]
        if len(twins) > 1:
            twins = [other for other in twins if other.seed == cell.seed] or twins
        if len(twins) > 1:
            raise _ambiguous(twins)
        if twins:
            rest.remove(twins[0])
            pairs.append(Pair(cell, twins[0]))
        else:
            left.append(cell)
    for cell in left:
        near = [other for other in rest if named or _subject(cell) == _subject(other)]
        if near:
            raise _unlike(a, b, cell, near, named)
    if not pairs:
        raise InputError(
            f"no model of {a.folder.run_id} is in {b.folder.run_id}", where="compare",
            fix="name one on each side, as RUN:MODEL",
        )  # fmt: skip
    return Matched(tuple(pairs), tuple(left), tuple(rest))


def _split(text: str) -> tuple[str, str | None]:
    if ":" not in text or (Path(text) / "run.json").is_file():
        return text, None
    name, _, model = text.rpartition(":")
    return name, model


def _subject(cell: Cell) -> tuple[Any, ...]:
    return cell.task, cell.plugin, cell.mitigation, cell.cohort_input, cell.seed


def _settings(side: Side, cell: Cell, named: bool) -> dict[str, Any]:
    """Everything that must be the same, by name."""
    plan = side.planned.get(cell.cell)
    names = PLACE if named else (*MODEL, *PLACE)
    chosen = {name: getattr(plan, name) for name in SELECTION} if plan else {}
    return {"task": cell.task} | {name: getattr(cell, name) for name in names} | chosen


def _key(side: Side, cell: Cell, named: bool) -> str:
    plugin = None if named else cell.plugin
    return json.dumps([plugin, _settings(side, cell, named)], sort_keys=True)


def _unlike(a: Side, b: Side, cell: Cell, others: Sequence[Cell], named: bool) -> InputError:
    mine = _settings(a, cell, named)
    choices = []
    for other in others:
        theirs = _settings(b, other, named)
        differing = [name for name in mine if mine[name] != theirs.get(name)]
        choices.append((len(differing), differing, theirs))
    _, differing, theirs = min(choices, key=lambda choice: choice[0])
    told = "; ".join(f"{name} is {_short(mine[name])} in A and {_short(theirs.get(name))} in B" for name in differing)
    return InputError(
        f"{cell.plugin}: {told}", where="compare",
        fix="compare runs of one suite, or name one model on each side, as RUN:MODEL or RUN:CELL",
    )  # fmt: skip


def _ambiguous(twins: Sequence[Cell]) -> InputError:
    cells = ", ".join(cell.cell for cell in twins)
    return InputError(f"{len(twins)} cells of B answer to one of A", where="compare", fix=f"name a cell of {cells}")


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)
    return f"{text[:12]}..." if len(text) == 64 else text
