"""Which cohorts a cell's speakers are in: any metadata column that says one thing about each speaker."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.bench.metrics.gaps import MIN_SPEAKERS

AUTO = "auto"
MAX_COHORTS = 30
MAX_NUMBERS = 10
MIN_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class Scheme:
    """Speakers by cohort. ``problem`` says why there are none; ``coverage`` is the share of speakers with a cohort."""

    name: str
    cohort_of: Mapping[str, str]
    coverage: float | None
    problem: str | None = None
    pair: tuple[str, str] | None = None
    """The bottom and the top cohort as ranked on other speakers."""
    digest: str | None = None
    """Of a frozen scheme that somebody found."""


def resolve(
    wanted: Sequence[str], utterances: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]] = ()
) -> list[Scheme]:
    """The schemes of a cell, from the ``speaker`` and ``metadata`` of its utterances.

    ``auto`` stands for every column in which at least half of the speakers have a value, the same in all their
    recordings, with at most 30 values, two of which have at least ten speakers. More than ten values that are all
    numbers are a quantity, no cohorts. ``found`` are the cell's assignments to cohorts that a finder found.
    """
    frozen = _frozen(found, {row["speaker"] for row in utterances if row["speaker"]})
    by_column = _columns(utterances)
    n_speakers = len({row["speaker"] for row in utterances if row["speaker"]})
    names = [name for name in wanted if name != AUTO]
    if AUTO in wanted:
        names += [name for name in sorted(by_column) if name not in names and _suits(by_column[name], n_speakers)]
    return [frozen.get(name) or _scheme(name, by_column.get(name), n_speakers) for name in names]


def _frozen(found: Sequence[Mapping[str, Any]], speakers: set[str]) -> dict[str, Scheme]:
    """The schemes that were found, by name, each with the pair that was ranked on discover."""
    schemes = {}
    for name in dict.fromkeys(row["scheme"] for row in found):
        mine = [row for row in found if row["scheme"] == name]
        if mine[0]["speaker"] is None:
            schemes[name] = Scheme(name, {}, None, mine[0]["note"])
            continue
        cohort_of = {row["speaker"]: row["cohort"] for row in mine if row["speaker"] in speakers}
        role = {row["role"]: row["cohort"] for row in mine if row["role"]}
        pair = (role["bottom"], role["top"]) if {"bottom", "top"} <= set(role) else None
        schemes[name] = Scheme(name, cohort_of, len(cohort_of) / len(speakers), None, pair, mine[0]["scheme_digest"])
    return schemes


def _columns(utterances: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, set[str]]]:
    """Column -> speaker -> the values that the speaker has in it."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in utterances:
        if row["speaker"]:
            for name, value in json.loads(row["metadata"] or "{}").items():
                found[name][row["speaker"]].add(value)
    return found


def _suits(values: Mapping[str, set[str]], n_speakers: int) -> bool:
    if any(len(found) > 1 for found in values.values()) or len(values) < MIN_COVERAGE * n_speakers:
        return False
    sizes: dict[str, int] = defaultdict(int)
    for found in values.values():
        sizes[next(iter(found))] += 1
    if len(sizes) > MAX_COHORTS or (len(sizes) > MAX_NUMBERS and all(map(_is_number, sizes))):
        return False
    return sum(size >= MIN_SPEAKERS for size in sizes.values()) >= 2


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _scheme(name: str, values: Mapping[str, set[str]] | None, n_speakers: int) -> Scheme:
    if not n_speakers:
        return Scheme(name, {}, None, "the corpus names no speakers")
    if not values:
        return Scheme(name, {}, 0.0, f"the corpus has no column {name!r}")
    several = sorted(speaker for speaker, found in values.items() if len(found) > 1)
    if several:
        return Scheme(name, {}, None, f"{name!r} is no property of a speaker: {several[0]!r} has several values")
    cohort_of = {speaker: next(iter(found)) for speaker, found in sorted(values.items())}
    return Scheme(name, cohort_of, len(cohort_of) / n_speakers)
