"""Many texts at once: normalized word by word, compared in compiled code, for tables of a million utterances.

Equal to :func:`~earmark.bench.metrics.normalize.normalize` and :mod:`~earmark.bench.metrics.words`, text by text;
only faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.resampling import Integers

WORD_BY_WORD = frozenset({"raw-1", "basic-1"})
"""Normalizers that do to a text what they do to each of its words: no rule of theirs looks across whitespace."""


def normalize_many(texts: Iterable[str], name: str) -> list[str]:
    """Each text under the normalizer ``name``; raises InputError for an unknown one.

    >>> normalize_many(["Half-past SIX.", "It's six."], "basic-1")
    ['half past six', "it's six"]
    """
    normalize("", name)
    if name not in WORD_BY_WORD:
        return [normalize(text, name) for text in texts]
    known = _Known(name)
    return [" ".join(filter(None, map(known.__getitem__, text.split()))) for text in texts]


class _Known(dict[str, str]):
    """Words as the normalizer leaves them, each worked out once."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __missing__(self, word: str) -> str:
        found = self[word] = normalize(word, self.name)
        return found


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> Integers:
    """Word errors (N,) of normalized texts: the edit distance of their words, each step costing 1.

    >>> word_errors(["turn on the light"], ["turn the light please"]).tolist()
    [2]
    """
    from rapidfuzz.distance import Levenshtein

    pairs = zip(references, hypotheses, strict=True)
    found = (0 if one == other else Levenshtein.distance(one.split(), other.split()) for one, other in pairs)
    return np.fromiter(found, dtype=np.int64, count=len(references))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> Integers:
    """Character errors (N,) of normalized texts: their edit distance, each step costing 1."""
    if len(references) != len(hypotheses):
        raise InputError(f"{len(references)} references for {len(hypotheses)} hypotheses")
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cpdist

    if not references:
        return np.empty(0, dtype=np.int64)
    return cpdist(references, hypotheses, scorer=Levenshtein.distance).astype(np.int64)
