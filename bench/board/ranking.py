"""Who is best, and who can't be told from the best: paired where both heard the same utterances, Holm-corrected.

Cells compete when they heard the same recordings of a corpus, split and condition on one kind of device, and for
timings and memory on one machine. Error rates are compared speaker by speaker on the utterances that both cells heard.
What is not stored by speaker is compared by its intervals, as if the two had nothing in common, which finds fewer
differences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

from earmark.bench import report
from earmark.bench.metrics.names import METRICS
from earmark.bench.metrics.paired import paired_difference
from earmark.bench.metrics.simultaneous import holm
from earmark.bench.metrics.statistics import per_speaker
from earmark.bench.rows import Cell

LEVEL = 0.05
TOO_MANY = 60
"""Rivals compared speaker by speaker; of more, intervals decide."""
PAIRED = ("wer", "orc_wer")
Errors = Mapping[str, tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell's value of a metric: its place among the cells, the value and its interval."""

    place: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cell stands beside the best of its rivals: ``p`` is adjusted; None where nothing could be compared."""

    place: int
    metric: str
    best: bool
    tied: bool
    p: float | None
    how: str


def standings(
    cells: Sequence[tuple[str, Cell]],
    shown: Sequence[bool],
    rows: Sequence[Mapping[str, Any]],
    errors: Callable[[int, str], Errors],
    heard: Sequence[str | None],
) -> list[Standing]:
    """The best of every metric and whoever can't be told from it.

    Args:
        cells: machine and cell, by place; ``shown`` says which of them compete.
        rows: measurements over everybody, with ``cell`` (a place), ``metric``, ``value``, ``ci_low``, ``ci_high``.
        errors: by place of a cell and metric, the errors and words of its utterances; empty where they are not stored.
        heard: by place of a cell, a digest of the recordings that it heard; None where they are not stored.
    """
    rivals: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    listed = {task: {c.metric for c in columns} for task, columns in report.COLUMNS.items()}
    for row in rows:
        host, cell = cells[row["cell"]]
        if (
            not shown[row["cell"]]
            or row["metric"] not in listed[cell.task]
            or row["value"] is None
            or row["status"] != "ok"
        ):
            continue
        rivals[_field(host, cell, heard[row["cell"]], row["metric"])].append(
            Entry(row["cell"], row["value"], row["ci_low"], row["ci_high"])
        )
    return [one for field, entries in rivals.items() for one in _rank(str(field[-1]), entries, errors)]


def _field(host: str, cell: Cell, heard: str | None, metric: str) -> tuple[Any, ...]:
    """What must agree between two cells for one to be better than the other."""
    alike = (cell.task, cell.corpus, cell.corpus_fingerprint, cell.split, heard, cell.condition, cell.device)
    machine = host if METRICS[metric].kind in ("timing", "memory") else ""
    return *alike, machine, metric


def _rank(metric: str, entries: Sequence[Entry], errors: Callable[[int, str], Errors]) -> Iterator[Standing]:
    if METRICS[metric].better == "none" or len(entries) < 2:
        return
    sign = 1.0 if METRICS[metric].better == "lower" else -1.0
    best, *others = sorted(entries, key=lambda entry: (sign * entry.value, entry.place))
    yield Standing(best.place, metric, True, False, None, "")
    paired = metric in PAIRED and len(others) <= TOO_MANY
    found = [_compare(best, other, (lambda place: errors(place, metric)) if paired else None) for other in others]
    known = [(other, p, how) for other, (p, how) in zip(others, found, strict=True) if p is not None]
    for (other, _, how), p in zip(known, holm([p for _, p, _ in known]), strict=True):
        if p >= LEVEL:
            yield Standing(other.place, metric, False, True, p, how)


def _compare(best: Entry, other: Entry, errors: Callable[[int], Errors] | None) -> tuple[float | None, str]:
    """The p value of no difference, and how it came about."""
    mine, theirs = (errors(entry.place) if errors else {} for entry in (best, other))
    common = [name for name in mine if name in theirs and mine[name][2] == theirs[name][2]]
    if len({mine[name][0] for name in common}) > 1 and any(mine[name][2] for name in common):
        return _paired([mine[name] for name in common], [theirs[name] for name in common])
    if best.value == other.value:
        return 1.0, "the same value"
    spread = [_standard_error(entry) for entry in (best, other)]
    known = [s for s in spread if s is not None]
    if len(known) < 2 or not sum(known):
        return None, "no interval"
    z = abs(best.value - other.value) / sqrt(sum(s**2 for s in known))
    return erfc(z / sqrt(2.0)), "by their intervals"


def _paired(first: Sequence[tuple[str, int, int]], second: Sequence[tuple[str, int, int]]) -> tuple[float, str]:
    words = [row[2] for row in first]
    sides = [per_speaker([row[0] for row in first], [row[1] for row in side], words) for side in (first, second)]
    found = paired_difference(sides[0].errors, sides[1].errors, sides[0].units, seed=0)
    n, told = len(sides[0].speakers), f"{len(first)} utterances"
    return (1.0 if found.p_value is None else found.p_value), f"paired over {told}" if n == len(
        first
    ) else f"paired over {n} speakers, {told}"


def _standard_error(entry: Entry) -> float | None:
    """Of a value whose 95 % interval is known, taken as normal."""
    return None if entry.low is None or entry.high is None else (entry.high - entry.low) / (2 * 1.959964)
