"""Which speakers train, tune, find cohorts, choose between them, and measure.

The unit is a speaker; a recording of several speakers ties them together, and one without a speaker stands for itself.
Units are sorted by gender, accent and a seeded hash, and dealt out in that order so that every run of neighbours comes
as close to the shares as whole speakers can: a systematic sample, stratified by gender and accent. Nothing depends on
the order of the rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.bench.corpora.schema import speakers_of

TEST_SHARES: Mapping[str, float] = {"measure": 0.5, "discover": 0.25, "select": 0.25}
"""How a ``test`` split is divided: half the speakers measure."""
ALL_SHARES: Mapping[str, float] = {"train": 0.5, "measure": 0.2, "dev": 0.1, "discover": 0.1, "select": 0.1}
"""How a corpus without splits is divided; discover, select and measure stand to each other as in a divided test."""
ALIASES: Mapping[str, str] = {
    "train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "test": "test",
    "discover": "discover", "select": "select", "measure": "measure",
}  # fmt: skip
"""Split names a manifest may use. ``test`` is divided; the others are kept."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Clash:
    """A speaker in two splits: the rows (by index) that say so."""

    speaker: str
    rows: tuple[int, int]
    splits: tuple[str, str]


def divide(rows: Rows, *, seed: int = 0, ignore: bool = False, shares: Mapping[str, float] = ALL_SHARES) -> list[str]:
    """The split of each row: as written, ``test`` divided; by ``shares`` where no row says (or ``ignore``)."""
    if ignore or all(row.get("split") is None for row in rows):
        return divide_all(rows, shares=shares, seed=seed)
    return divide_test(rows, seed=seed)


def divide_test(rows: Rows, *, seed: int = 0) -> list[str]:
    """The split of each row, with the speakers of ``test`` dealt out to discover, select and measure."""
    test = [index for index, row in enumerate(rows) if row["split"] == "test"]
    dealt = iter(_divide([rows[index] for index in test], TEST_SHARES, seed))
    return [next(dealt) if row["split"] == "test" else row["split"] for row in rows]


def divide_all(rows: Rows, *, shares: Mapping[str, float] = ALL_SHARES, seed: int = 0) -> list[str]:
    """The split of each row, all speakers dealt out by ``shares``, whatever the rows say."""
    return _divide(rows, shares, seed)


def clashes(rows: Rows) -> list[Clash]:
    """Speakers that stand in more than one split, each with the first row of the first two."""
    first: dict[str, dict[str, int]] = defaultdict(dict)
    for index, row in enumerate(rows):
        for speaker in speakers_of(row):
            first[speaker].setdefault(row["split"], index)
    return [
        Clash(speaker, (a[1], b[1]), (a[0], b[0]))
        for speaker, seen in first.items()
        if len(seen) > 1
        for a, b in [list(seen.items())[:2]]
    ]


def apportion(n: int, shares: Mapping[str, float]) -> list[str]:
    """``n`` names such that every prefix holds each name close to its share; ties go to the first name.

    >>> apportion(5, {"measure": 0.5, "discover": 0.25, "select": 0.25})
    ['measure', 'discover', 'select', 'measure', 'measure']
    """
    given: Counter[str] = Counter()
    dealt = []
    for place in range(1, n + 1):
        name = max(shares, key=lambda s: round(shares[s] * place - given[s], 9))
        given[name] += 1
        dealt.append(name)
    return dealt


def _divide(rows: Rows, shares: Mapping[str, float], seed: int) -> list[str]:
    units = units_of(rows)
    strata = _strata(units, rows)
    order = sorted(set(units), key=lambda unit: (*strata[unit], _hash(unit, seed), unit))
    split = dict(zip(order, apportion(len(order), shares), strict=True))
    return [split[unit] for unit in units]


def units_of(rows: Rows) -> list[str]:
    """What must stay together, by name, for each row: a speaker, speakers tied by a recording, or a lone utterance."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    members = [speakers_of(row) for row in rows]
    for names in members:
        for name in names:
            low, high = sorted((root(names[0]), root(name)))
            parent[high] = low  # the smallest name stands for all
    return [f"speaker {root(m[0])}" if m else f"utterance {row['id']}" for m, row in zip(members, rows, strict=True)]


def _strata(units: Iterable[str], rows: Rows) -> dict[str, tuple[str, str]]:
    """Gender and accent of each unit: the most frequent of its rows, the first in the alphabet among equals."""
    seen: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for unit, row in zip(units, rows, strict=True):
        seen[unit][str(row.get("gender") or ""), str(row.get("accent") or "")] += 1
    return {unit: min(counts, key=lambda value: (-counts[value], value)) for unit, counts in seen.items()}


def _hash(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()
