"""The convex hull of the ROC (ROCCH) by pooling adjacent violators, for whole or weighted trials.

Scores are collected into blocks that no vertex of the hull can divide: a run of targets without a non-target among
them, and the non-targets up to the next target. Inside a block the share of targets falls as the score rises, so
pooling joins it whatever the weights, and a bootstrap pools the same few blocks again and again. There are at most
T + 1 blocks for T targets, however many non-targets.

Minimum detection costs lie at vertices, and the log-likelihood ratios of the pools give the minimum Cllr (Brümmer and
du Preez, "Application-independent evaluation of speaker detection", 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.metrics.resampling import Floats, Integers


@dataclass(frozen=True, slots=True)
class Hull:
    """Weights of the targets and of the non-targets in each pool, pools in order of score; at least one of each."""

    targets: Floats
    others: Floats

    @property
    def p_miss(self) -> Floats:
        """At the vertices: from nothing rejected, one pool more each time."""
        return _cumulated(self.targets)

    @property
    def p_fa(self) -> Floats:
        return 1 - _cumulated(self.others)

    def equal_error_rate(self) -> float:
        """Where the hull meets P_miss = P_fa; never above 0.5."""
        p_miss, p_fa = self.p_miss, self.p_fa
        j = int(np.argmax(p_miss - p_fa >= 0))
        return interpolate(float(p_miss[j - 1]), float(p_fa[j - 1]), float(p_miss[j]), float(p_fa[j]))

    def min_dcf(self, p_target: float, c_miss: float = 1.0, c_false_alarm: float = 1.0) -> float:
        """Smallest normalized detection cost; see :func:`earmark.bench.metrics.verification.min_dcf`."""
        miss, false_alarm = c_miss * p_target, c_false_alarm * (1 - p_target)
        return float(np.min(miss * self.p_miss + false_alarm * self.p_fa)) / min(miss, false_alarm)

    def min_cllr(self) -> float:
        """Cllr of the pools' own log-likelihood ratios, in bits; pools of one kind cost nothing."""
        t, n = self.targets / self.targets.sum(), self.others / self.others.sum()
        t, n = t[mixed := (t > 0) & (n > 0)], n[mixed]
        return float(t @ np.log2(1 + n / t) + n @ np.log2(1 + t / n)) / 2


@dataclass(frozen=True, slots=True)
class Blocks:
    """The block of each target and of each non-target, in the order in which their scores were given."""

    of_targets: Integers
    of_others: Integers

    @staticmethod
    def of(targets: NDArray[np.floating], others: NDArray[np.floating]) -> Blocks:
        target_order, other_order = np.argsort(targets, kind="stable"), np.argsort(others, kind="stable")
        t, n = block_starts(targets[target_order], others[other_order])
        return Blocks(_expanded(t, target_order), _expanded(n, other_order))

    def hull(self, target_weights: Floats, other_weights: Floats) -> Hull:
        """The hull under weights of the trials, (T,) and (N,); each side needs some weight."""
        n_blocks = 1 + max(self.of_targets.max(), self.of_others.max())
        sides = (self.of_targets, target_weights), (self.of_others, other_weights)
        return pooled(*(np.bincount(block, weights, n_blocks) for block, weights in sides))


def hull_of(targets: NDArray[np.floating], others: NDArray[np.floating]) -> Hull:
    """The hull of two sides of scores, each in ascending order."""
    t, n = block_starts(targets, others)
    return pooled(np.diff(t), np.diff(n))


def block_starts(targets: NDArray[np.floating], others: NDArray[np.floating]) -> tuple[Integers, Integers]:
    """Where each block starts among the sorted targets and among the sorted non-targets, and where the last ends.

    The first block holds the non-targets below every target.
    """
    below = np.searchsorted(others, targets)  # non-targets under each target
    first = np.flatnonzero(np.diff(below, prepend=-1))
    starts = np.concatenate([[0], first, [len(targets)]]), np.concatenate([[0], below[first], [len(others)]])
    return starts[0].astype(np.int64), starts[1].astype(np.int64)


def pooled(targets: ArrayLike, others: ArrayLike) -> Hull:
    """Blocks of weights (B,) joined until the share of targets rises from pool to pool; empty blocks are left out."""
    from scipy.optimize import isotonic_regression

    sides = np.array([targets, others], dtype=np.float64)
    sides = sides[:, sides.sum(axis=0) > 0]
    weights = sides.sum(axis=0)
    starts = isotonic_regression(sides[0] / weights, weights=weights).blocks[:-1]
    return Hull(*np.add.reduceat(sides, starts, axis=1))


def _cumulated(weights: Floats) -> Floats:
    """Shares of the whole before each pool, and after the last."""
    total: Floats = np.append(0.0, np.cumsum(weights))
    shares: Floats = total / total[-1]
    return shares


def _expanded(starts: Integers, order: Integers) -> Integers:
    """Block of each score in its original place."""
    block = np.empty(len(order), dtype=np.int64)
    block[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return block


def interpolate(miss_low: float, fa_low: float, miss_high: float, fa_high: float) -> float:
    """Where the segment between two operating points meets P_miss = P_fa."""
    below, above = fa_low - miss_low, miss_high - fa_high
    return miss_low + (miss_high - miss_low) * below / (below + above) if below + above > 0 else miss_high
