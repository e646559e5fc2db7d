"""Word error rates by a column of the utterances, such as the lexical task; the same speakers may be in every slice.

Slices are no cohorts: nothing is said about a gap between them, since harder texts are nobody's disadvantage.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from earmark.bench.metrics.words import WordErrors, score_many
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.words import Texts, rate_row, resampled

MAX_SLICES = 30
Slices: TypeAlias = Mapping[str, Mapping[str, Sequence[int]]]
"""Of columns, the places of the utterances by their value."""


def score_slices(sheet: Sheet, texts: Texts, columns: Sequence[str]) -> Iterator[Measurement]:
    """A ``wer`` row for each value of each column: scheme is the column, cohort the value."""
    for column in columns:
        places = places_of(texts.utterances, column)
        problem = _problem(column, places)
        if problem:
            yield sheet.missing("wer", "unsupported", problem, scheme=column, cohort="*")
            continue
        for value, at in sorted(places.items()):
            yield _slice(sheet, texts.some(at), column, value)


def _slice(sheet: Sheet, texts: Texts, column: str, value: str) -> Measurement:
    errors = score_many(texts.references, texts.hypotheses)
    interval = resampled(sheet, texts, f"wer {column} {value}", errors)
    return rate_row(sheet, texts, "wer", sum(errors, WordErrors()), interval, scheme=column, cohort=value)


def places_of(utterances: Sequence[Mapping[str, Any]], column: str) -> dict[str, list[int]]:
    """Places of the utterances by their value in a column of the metadata; those without one are left out."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(utterances):
        known: dict[str, Any] = json.loads(row["metadata"] or "{}")
        if column in known:
            found[str(known[column])].append(place)
    return dict(found)


def _problem(column: str, places: dict[str, list[int]]) -> str | None:
    if not places:
        return f"the corpus has no column {column!r}"
    return f"{column!r} has {len(places)} values, more than {MAX_SLICES}" if len(places) > MAX_SLICES else None
