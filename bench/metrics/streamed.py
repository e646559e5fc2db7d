"""The equal error rate of more scores than fit in memory: exact, in a few passes over pieces of them.

A pass over 65,536 bins finds the one in which misses overtake false accepts; only what lies in it is kept and sorted.
Where that is too much, the bin is divided again. Memory is that of the bins, of a piece, and of what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.rocch import interpolate

N_BINS = 65_536
MAX_KEPT = 1_000_000
Pieces = Callable[[], Iterable[tuple[ArrayLike, ArrayLike]]]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The scores from ``low`` to ``high``, both included, and how many (targets, non-targets) lie below and inside."""

    low: float
    high: float
    below: Counts
    inside: Counts


def equal_error_rate_streamed(read: Pieces, *, max_kept: int = MAX_KEPT) -> float:
    """The same number as :func:`earmark.bench.metrics.verification.equal_error_rate`.

    ``read`` gives the scores from the beginning each time it is called, in pieces: targets and non-targets, (n,) and
    (m,), either of which may be empty. Raises InputError for NaN, infinity and a side without trials.
    """
    stretch = _everything(read)
    total = stretch.inside
    while stretch.inside.sum() > max_kept and stretch.low < stretch.high:
        stretch = _divided(read, stretch, total)
    return _exact(read, stretch, total)


def _everything(read: Pieces) -> _Stretch:
    low, high, n = np.inf, -np.inf, np.zeros(2, dtype=np.int64)
    for sides in read():
        for k, side in enumerate(map(np.asarray, sides)):
            if not np.isfinite(side).all():
                raise InputError("a score is NaN or infinite")
            if len(side):
                low, high = min(low, float(side.min())), max(high, float(side.max()))
                n[k] += len(side)
    if not n.all():
        raise InputError("no target trials" if not n[0] else "no non-target trials", fix="give trials of both kinds")
    return _Stretch(low, high, np.zeros(2, dtype=np.int64), n)


def _divided(read: Pieces, stretch: _Stretch, total: Counts) -> _Stretch:
    """The part of a stretch, one bin wide, in which misses overtake false accepts."""
    scale = N_BINS / (stretch.high - stretch.low)

    def bins(side: NDArray[np.floating]) -> NDArray[np.int64]:
        # Rising with the score, which is all that counts: the same bins each time
        return np.minimum((side.astype(np.float64) - stretch.low) * scale, N_BINS - 1).astype(np.int64)

    counts = np.zeros((2, N_BINS), dtype=np.int64)
    for sides in read():
        for k, side in enumerate(sides):
            counts[k] += np.bincount(bins(_inside(side, stretch)), minlength=N_BINS)
    reached = stretch.below[:, None] + np.cumsum(counts, axis=1)
    at = int(np.argmax(_overtaken(reached, total)))
    low, high = np.inf, -np.inf
    for sides in read():
        for side in sides:
            mine = _inside(side, stretch)
            mine = mine[bins(mine) == at]
            if len(mine):
                low, high = min(low, float(mine.min())), max(high, float(mine.max()))
    return _Stretch(low, high, reached[:, at] - counts[:, at], counts[:, at])


def _exact(read: Pieces, stretch: _Stretch, total: Counts) -> float:
    """Between the thresholds before and after the score at which misses overtake false accepts."""
    if stretch.low == stretch.high:
        return _between(stretch.below, stretch.below + stretch.inside, total)
    kept: tuple[list[NDArray[np.floating]], ...] = ([], [])
    for sides in read():
        for k, side in enumerate(sides):
            kept[k].append(_inside(side, stretch))
    t, n = (np.sort(np.concatenate(some)) for some in kept)
    scores = np.unique(np.concatenate([t, n]))
    before, after = (
        stretch.below[:, None] + np.stack([np.searchsorted(side, scores, how) for side in (t, n)])
        for how in ("left", "right")
    )
    at = int(np.argmax(_overtaken(after, total)))
    return _between(before[:, at], after[:, at], total)


def _inside(side: ArrayLike, stretch: _Stretch) -> NDArray[np.floating]:
    scores = np.asarray(side)
    within: NDArray[np.floating] = scores[(scores >= stretch.low) & (scores <= stretch.high)]
    return within


def _overtaken(rejected: Counts, total: Counts) -> NDArray[np.bool_]:
    """Whether P_miss >= P_fa when so many (2, n) are rejected; whole numbers, so that equality is no accident."""
    found: NDArray[np.bool_] = rejected[0] * total[1] >= (total[1] - rejected[1]) * total[0]
    return found


def _between(before: Counts, after: Counts, total: Counts) -> float:
    low, high = before / total, after / total
    return interpolate(float(low[0]), float(1 - low[1]), float(high[0]), float(1 - high[1]))
