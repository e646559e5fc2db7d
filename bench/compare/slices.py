"""Word errors of two recognizers by slice of what was said, such as a lexical task, and by kind of error.

The same speaker may be in every slice, so a slice is no cohort; its test draws speakers all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.compare.changes import Change, of_difference, tested
from earmark.bench.compare.reading import columns, sorted_by
from earmark.bench.compare.words import Heard, of_cohort
from earmark.bench.metrics.words import score_many
from earmark.bench.score.slices import MAX_SLICES

KINDS: Mapping[str, str] = {
    "word_substitution_rate": "substitutions",
    "word_deletion_rate": "deletions",
    "word_insertion_rate": "insertions",
}
"""Kinds of word errors, tested where they are asked for by name."""


def slice_changes(
    heard: Heard, folder: Path, wanted: Sequence[str], common: dict[str, Any], seed: int
) -> Iterator[Change]:
    """Word error rates by the values of these columns of ``folder``'s utterances, for columns with a few values."""
    if not wanted:
        return
    rows = sorted_by(columns(folder, "utterances", ["utterance_id", "metadata"]), "utterance_id")
    known: list[dict[str, Any]] = [json.loads(text or "{}") for text in rows["metadata"].to_pylist()]
    for column in wanted:
        values = np.array([str(one.get(column, "")) for one in known], dtype=np.str_)
        names = sorted({*values.tolist()} - {""})
        for value in names if len(names) <= MAX_SLICES else ():
            inside = values == value
            counts = heard.errors.first, heard.errors.second, heard.errors.words
            before, after, words = (heard.by_unit(np.where(inside, count, 0)) for count in counts)
            at = words > 0
            yield of_cohort(common, column, value, before[at], after[at], words[at], seed)


def kind_changes(heard: Heard, named: Set[str], common: dict[str, Any], seed: int) -> Iterator[Change]:
    """The rates of those kinds of errors that are ``named``, over everybody."""
    wanted = {metric: kind for metric, kind in KINDS.items() if metric in named}
    words = heard.by_unit(heard.errors.words)
    if not wanted or not words.sum():
        return
    sides = [score_many(heard.references, said) for said in (heard.before, heard.after)]
    for metric, kind in wanted.items():
        before, after = (heard.by_unit(np.array([getattr(one, kind) for one in side])) for side in sides)
        found = of_difference(tested(before, after, words, seed=seed))
        yield Change(**common, metric=metric, **found, n_speakers=heard.n_named or None)
