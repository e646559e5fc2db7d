"""Chooses one of several repairs by what their models do on split select, never on measure.

Rule: of the repairs whose overall word error rate on select is no higher than before, the one with the lowest rate in
the cohorts that were to be repaired; where all have raised the overall rate, the one that raised it least.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import WordErrors, score_many
from earmark.bench.protocol import Choice
from earmark.bench.tables import read_table


@dataclass(frozen=True, slots=True)
class Heard:
    """A repair on select: word error rates of everybody and of the cohorts that were to be repaired."""

    value: Any
    overall: float
    target: float


@dataclass(frozen=True, slots=True)
class Chosen:
    repair_key: str
    option: str
    value: Any
    before: Heard
    heard: tuple[Heard, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rule": (__doc__ or "").partition("Rule: ")[2].replace("\n", " ").strip()}


def choose(choice: Choice, folders: Mapping[str, Path], targeted: Collection[str], normalizer: str) -> Chosen:
    """Choose by the observations of cells on select; ``targeted`` are the speakers of the cohorts to be repaired."""
    before = _heard(None, folders[choice.before], targeted, normalizer)
    pairs = zip(choice.values, choice.heard, strict=True)
    heard = tuple(_heard(value, folders[cell], targeted, normalizer) for value, cell in pairs)
    place = best(before, heard)
    return Chosen(choice.candidates[place], choice.option, choice.values[place], before, heard)


def best(before: Heard, heard: tuple[Heard, ...]) -> int:
    """The place of the repair that the rule chooses; the first of equals."""
    no_worse = [place for place, one in enumerate(heard) if one.overall <= before.overall]
    if no_worse:
        return min(no_worse, key=lambda place: heard[place].target)
    return min(range(len(heard)), key=lambda place: heard[place].overall)


def _heard(value: Any, folder: Path, targeted: Collection[str], normalizer: str) -> Heard:
    rows = read_table(folder, "utterances").to_pylist()
    references = [normalize(row["reference"], normalizer) for row in rows]
    errors = score_many(references, [normalize(row["hypothesis_raw"], normalizer) for row in rows])
    mine = [e for e, row in zip(errors, rows, strict=True) if row["speaker"] in targeted]
    return Heard(value, _rate(errors), _rate(mine))


def _rate(errors: list[WordErrors]) -> float:
    return sum(errors, WordErrors()).rate or 0.0
