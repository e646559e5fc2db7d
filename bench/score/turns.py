"""Scores turns: how many there are, against how many were spoken. Intervals resample conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from earmark.bench.rows import Measurement
from earmark.bench.score.conversation import Talks, by_slice, over_conversations
from earmark.bench.score.measure import Sheet

FEW = 2
"""Conversations of more turns than these have an accuracy of their own, as in arXiv 2205.05199."""


def score_turns(sheet: Sheet, talks: Talks) -> Iterator[Measurement]:
    """Rows of a cell's turns; none where its corpus names no turns."""
    found = {r.name: len(r.said) - len(r.spoken) for r in talks.recordings}
    if not found:
        yield sheet.missing("turn_count_accuracy", "unsupported", "the corpus names no turns")
        return
    yield _accuracy(sheet, "turn_count_accuracy", found)
    yield from by_slice(talks, found, partial(_accuracy, sheet, "turn_count_accuracy"))
    many = {r.name: found[r.name] for r in talks.recordings if len(r.spoken) > FEW}
    if many:
        yield _accuracy(sheet, "turn_count_accuracy_over_2", many)
    mean = sum(found.values()) / len(found)
    yield sheet.row("turn_count_error", mean, numerator=sum(found.values()), n=len(found), n_unit="conversations")


def _accuracy(sheet: Sheet, name: str, found: Mapping[str, int], **where: str) -> Measurement:
    right = {key: float(surplus == 0) for key, surplus in found.items()}
    interval = over_conversations(sheet, name, right, dict.fromkeys(right, 1.0), **where)
    return sheet.row(
        name, sum(right.values()) / len(right), interval=interval, numerator=sum(right.values()),
        denominator=len(right), n=len(right), n_unit="conversations", normalizer=sheet.normalizer, **where,
    )  # fmt: skip
