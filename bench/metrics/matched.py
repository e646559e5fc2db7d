"""The matched-pairs sentence-segment word error test (MAPSSWE), the field's habit for comparing two recognizers.

Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms", ICASSP 1989; segments
as NIST's scoring package cuts them. Segments are taken for independent: where speakers differ much, errors of one
speaker are not, and the paired bootstrap over speakers (:mod:`~earmark.bench.metrics.paired`) is the one to believe.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Integers

if TYPE_CHECKING:
    from rapidfuzz.distance import Editops

MIN_RIGHT = 2
"""So many reference words in a row that both systems have right end a segment."""


@dataclass(frozen=True, slots=True)
class MatchedErrors:
    """Word errors (N,) of two systems on the same N utterances, and (M,) inside each segment where one of them errs.

    ``words`` (N,) are the reference words.
    """

    first: Integers
    second: Integers
    words: Integers
    first_by_segment: Integers
    second_by_segment: Integers


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """The test of a mean difference of zero over ``n_segments`` segments; ``p_value`` is two-sided.

    ``z`` and ``p_value`` are None below two segments, or where all differences are the same. The statistic is normal
    for many segments; below 50 believe it little.
    """

    n_segments: int
    mean: float
    z: float | None
    p_value: float | None


def matched_errors(references: Sequence[str], first: Sequence[str], second: Sequence[str]) -> MatchedErrors:
    """Count the errors of two systems by utterance and by segment; texts are normalized.

    A segment is a stretch of an utterance that begins and ends at an error or beside ``MIN_RIGHT`` reference words that
    both systems have right, and that holds no such run. An insertion stands between two reference words.

    >>> found = matched_errors(["a b c d e"], ["x b c d e"], ["a b c d y"])  # three right words in between
    >>> found.first_by_segment.tolist(), found.second_by_segment.tolist()
    ([1, 0], [0, 1])
    """
    if not len(references) == len(first) == len(second):
        raise InputError(f"{len(references)} references for {len(first)} and {len(second)} hypotheses")
    from rapidfuzz.distance import Levenshtein

    counts = tuple(array("q", bytes(8 * len(references))) for _ in range(2))
    words = array("q")
    segments = array("q"), array("q")
    for place, (reference, one, other) in enumerate(zip(references, first, second, strict=True)):
        if reference == one == other:
            words.append(reference.count(" ") + 1 if reference else 0)
            continue
        said = reference.split(" ") if reference else []
        words.append(len(said))
        steps = Levenshtein.editops(said, one.split())
        others = steps if one == other else Levenshtein.editops(said, other.split())
        counts[0][place], counts[1][place] = len(steps), len(others)
        _cut(steps, others, segments)
    columns = (*counts, words, *segments)
    return MatchedErrors(*(np.frombuffer(column, dtype=np.int64) if column else _NONE for column in columns))


_NONE = np.empty(0, dtype=np.int64)


def _cut(first: Editops, second: Editops, segments: tuple[array[int], array[int]]) -> None:
    """Add the segments of one utterance; a place is 2 i for the gap before reference word i, 2 i + 1 for the word."""
    marks = sorted((_place(*step), side) for side, steps in enumerate((first, second)) for step in steps)
    last = -math.inf
    for place, side in marks:
        if last == -math.inf or place // 2 - (int(last) + 1) // 2 >= MIN_RIGHT:
            segments[0].append(0)
            segments[1].append(0)
        segments[side][-1] += 1
        last = place


def _place(op: str, at: int, _of_hypothesis: int) -> int:
    return 2 * at if op == "insert" else 2 * at + 1


def matched_pairs(errors: MatchedErrors) -> MatchedPairs:
    """The test on counted errors: Z = mean / (sd / sqrt(M)) of the differences, second minus first.

    >>> found = matched_pairs(matched_errors(["a b c"] * 4, ["a b x"] * 4, ["a b c"] * 3 + ["a b x"]))
    >>> found.n_segments, found.mean, found.z, round(found.p_value, 6)
    (4, -0.75, -3.0, 0.0027)
    """
    differences = errors.second_by_segment - errors.first_by_segment
    n = len(differences)
    mean = float(differences.mean()) if n else 0.0
    sd = float(differences.std(ddof=1)) if n > 1 else 0.0
    if not sd:
        return MatchedPairs(n, mean, None, None)
    z = mean / (sd / math.sqrt(n))
    return MatchedPairs(n, mean, z, math.erfc(abs(z) / math.sqrt(2)))
