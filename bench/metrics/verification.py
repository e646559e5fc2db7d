"""Speaker verification: equal error rate, detection costs, calibration, score normalization.

A trial is accepted when its score is at least the threshold. Thresholds run over the distinct scores and +infinity, so
equal scores make one step; P_miss is the share of targets below the threshold and P_fa the share of non-targets at
or above it. Peers differ in ties and interpolation, so the rule of each number is in its docstring. Scores may be any
finite numbers; NaN, infinity and a side without trials raise InputError.

Each side is sorted by itself and nothing is larger than the scores, so ten million of them take a few times their own
size. Intervals are in ``trial_bootstrap``, cohorts at one threshold in ``differentials``.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.rocch import hull_of, interpolate

_BLOCK_ENTRIES = 1_000_000


def equal_error_rate(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """EER by linear interpolation between the two thresholds where P_miss overtakes P_fa.

    The upper one is the first threshold with P_miss - P_fa >= 0. Above 0.5 the scores have the wrong sign.

    >>> equal_error_rate([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1])
    0.25
    """
    t, n = sorted_sides(targets, nontargets)
    upper = _crossing(t, n)
    below = [side[i - 1] for side in (t, n) if (i := _place(side, upper))]
    lower = float(max(below))  # the first threshold misses nothing, so some score lies below the crossing
    return interpolate(*_rates(lower, t, n), *_rates(upper, t, n))


def eer_threshold(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """The first threshold with P_miss - P_fa >= 0: a score, or +infinity if only rejecting everything gets there."""
    return _crossing(*sorted_sides(targets, nontargets))


def fmr_threshold(targets: ArrayLike, nontargets: ArrayLike, fmr: float) -> float:
    """The first threshold at which at most a share ``fmr`` (0 to 1) of the non-targets is accepted."""
    if not 0 <= fmr <= 1:
        raise InputError(f"a false match rate of {fmr}", fix="give a share between 0 and 1")
    t, n = sorted_sides(targets, nontargets)
    allowed = math.floor(fmr * len(n) + 1e-9)  # 0.01 * 300 is a little less than 3
    if allowed == len(n):
        return float(min(t[0], n[0]))
    last_rejected = n[len(n) - 1 - allowed]
    after = [float(side[i]) for side in (t, n) if (i := _place(side, float(last_rejected), "right")) < len(side)]
    return min(after, default=math.inf)


def equal_error_rate_hull(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """EER of the convex hull of the ROC (ROCCH): what mixing thresholds at random can reach.

    Never above :func:`equal_error_rate` and never above 0.5, so it hides scores with the wrong sign.
    """
    return hull_of(*sorted_sides(targets, nontargets)).equal_error_rate()


def equal_error_rate_nearest(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """The mean of P_miss and P_fa at the threshold where they are nearest, the lower of two: some programs' EER.

    >>> equal_error_rate_nearest([0.5, 0.5, 0.5, 0.9], [0.5, 0.1, 0.1, 0.1])
    0.125
    """
    t, n = sorted_sides(targets, nontargets)
    thresholds = np.append(np.unique(np.concatenate([t, n])), math.inf)
    p_miss, p_fa = np.searchsorted(t, thresholds) / len(t), 1 - np.searchsorted(n, thresholds) / len(n)
    at = int(np.argmin(np.abs(p_miss - p_fa)))
    return float(p_miss[at] + p_fa[at]) / 2


def min_dcf(
    targets: ArrayLike, nontargets: ArrayLike, p_target: float, c_miss: float = 1.0, c_false_alarm: float = 1.0
) -> float:
    """Smallest detection cost over all thresholds, divided by the better of accepting and rejecting everything.

    min over thresholds of C_m p P_miss + C_f (1 - p) P_fa, over min(C_m p, C_f (1 - p)); between 0 and 1.
    """
    _check_costs(p_target, c_miss, c_false_alarm)
    return hull_of(*sorted_sides(targets, nontargets)).min_dcf(p_target, c_miss, c_false_alarm)


def act_dcf(
    targets: ArrayLike,
    nontargets: ArrayLike,
    p_target: float,
    c_miss: float = 1.0,
    c_false_alarm: float = 1.0,
    *,
    calibrated: bool = False,
) -> float:
    """Detection cost at the threshold that log-likelihood ratios call for, ln(C_f (1 - p) / (C_m p)); as ``min_dcf``.

    Cosines have no such threshold: scores all within -1 and 1 are refused unless ``calibrated`` says that they are
    natural-log likelihood ratios nevertheless.
    """
    _check_costs(p_target, c_miss, c_false_alarm)
    t, n = sorted_sides(targets, nontargets)
    if not calibrated and max(abs(float(edge)) for side in (t, n) for edge in (side[0], side[-1])) <= 1:
        what = "scores within -1 and 1 look like cosines, not like log-likelihood ratios"
        raise InputError(what, fix="calibrate them on other speakers first (metrics.calibration)")
    miss, false_alarm = c_miss * p_target, c_false_alarm * (1 - p_target)
    p_miss, p_fa = _rates(bayes_threshold(p_target, c_miss, c_false_alarm), t, n)
    return (miss * p_miss + false_alarm * p_fa) / min(miss, false_alarm)


def bayes_threshold(p_target: float, c_miss: float = 1.0, c_false_alarm: float = 1.0) -> float:
    """The threshold on natural-log likelihood ratios above which accepting costs less."""
    return math.log(c_false_alarm * (1 - p_target) / (c_miss * p_target))


def cllr(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """Cost of natural-log likelihood ratios, in bits: 0 is perfect, 1 is knowing nothing, more is misleading.

    Half the sum of the means of log2(1 + e^-s) over targets and of log2(1 + e^s) over non-targets (Brümmer and du
    Preez, 2006).

    >>> cllr([0.0], [0.0])
    1.0
    """
    t, n = _checked_sides(targets, nontargets)
    return float(np.mean(target_cost(t)) + np.mean(target_cost(-n))) / 2


def target_cost(llrs: NDArray[np.floating]) -> Floats:
    """log2(1 + e^-s) of target trials; of a non-target trial, give -s."""
    return np.logaddexp(0.0, -llrs.astype(np.float64)) / math.log(2)


def min_cllr(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """The smallest Cllr that any rising map of the scores reaches (by pooling adjacent violators), in bits."""
    return hull_of(*sorted_sides(targets, nontargets)).min_cllr()


def error_rates_at(threshold: float, targets: ArrayLike, nontargets: ArrayLike) -> tuple[float, float]:
    """FNMR and FMR at a threshold set elsewhere: share of targets below it, share of non-targets at or above it."""
    return _rates(threshold, *sorted_sides(targets, nontargets))


def as_norm(scores: ArrayLike, impostor_scores: ArrayLike, enroll: ArrayLike, test: ArrayLike, *, n_top: int) -> Floats:
    """Scores (n,) of trials, normalized on both sides: half the sum of (s - mean) / deviation of either recording.

    Adaptive s-norm: mean and deviation (over N, not N - 1) of the ``n_top`` highest scores of a recording against a
    cohort of impostors. ``impostor_scores`` (U, C) are those of U recordings, ``enroll`` and ``test`` (n,) say which
    recordings a trial compares. The cohort decides who gains: say who is in it.

    >>> as_norm([0.6], [[0.5, 0.3, 0.1, -0.1], [0.4, 0.2, 0.0, -0.2]], [0], [1], n_top=2).round(4).tolist()
    [2.5]
    """
    s, against = np.asarray(scores, dtype=np.float64), np.asarray(impostor_scores)
    if against.ndim != 2 or not 2 <= n_top <= against.shape[1]:
        what = f"the top {n_top} of impostor scores {against.shape}"
        raise InputError(
            what, fix="give (recordings, impostors) scores and n_top between 2 and the number of impostors"
        )
    if not (np.isfinite(s).all() and np.isfinite(against).all()):
        raise InputError("a score is NaN or infinite")
    mean, deviation = _top_moments(against, n_top)
    if not deviation.all():
        raise InputError("a recording has the same score against each of its closest impostors", fix="raise n_top")
    sides = np.asarray(enroll), np.asarray(test)
    normalized: Floats = np.sum([(s - mean[side]) / deviation[side] for side in sides], axis=0) / 2
    return normalized


def _top_moments(scores: NDArray[np.floating], n_top: int) -> tuple[Floats, Floats]:
    """Mean and deviation (U,) of the highest ``n_top`` of each row (U, C), some rows at a time."""
    rows_at_once = max(1, _BLOCK_ENTRIES // scores.shape[1])
    blocks = [scores[first : first + rows_at_once] for first in range(0, len(scores), rows_at_once)]
    tops = [np.partition(block, -n_top, axis=1)[:, -n_top:].astype(np.float64) for block in blocks]
    return np.concatenate([t.mean(axis=1) for t in tops]), np.concatenate([t.std(axis=1) for t in tops])


def _check_costs(p_target: float, c_miss: float, c_false_alarm: float) -> None:
    if not 0 < p_target < 1 or c_miss <= 0 or c_false_alarm <= 0:
        raise InputError(f"p_target {p_target} must lie between 0 and 1 and costs {c_miss}, {c_false_alarm} above 0")


def sorted_sides(targets: ArrayLike, nontargets: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Both sides in ascending order; InputError unless each has trials and all scores are finite."""
    t, n = _checked_sides(targets, nontargets)
    return np.sort(t), np.sort(n)


def _checked_sides(targets: ArrayLike, nontargets: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    sides = np.asarray(targets), np.asarray(nontargets)
    for name, side in zip(("target", "non-target"), sides, strict=True):
        if side.ndim != 1 or not len(side):
            raise InputError(f"no {name} trials", fix="error rates need trials of both kinds")
        if not np.isfinite(side).all():
            raise InputError(f"a {name} score is NaN or infinite")
    return sides


def _rates(threshold: float, t: NDArray[np.floating], n: NDArray[np.floating]) -> tuple[float, float]:
    """(P_miss, P_fa) at a threshold, of sorted scores."""
    return _place(t, threshold) / len(t), 1 - _place(n, threshold) / len(n)


def _place(side: NDArray[np.floating], threshold: float, how: Literal["left", "right"] = "left") -> int:
    """How many sorted scores lie below a threshold (or, ``right``, not above it)."""
    if np.issubdtype(side.dtype, np.floating) and float(own := side.dtype.type(threshold)) == threshold:
        return int(np.searchsorted(side, own, how))  # of another type, numpy would copy the whole side
    return int(np.searchsorted(side, threshold, how))


def _crossing(t: NDArray[np.floating], n: NDArray[np.floating]) -> float:
    """First threshold with P_miss >= P_fa, found by bisection of each side: no list of all thresholds is made."""

    def overtaken(threshold: np.floating) -> bool:
        missed, rejected = _place(t, float(threshold)), _place(n, float(threshold))
        return missed * len(n) >= (len(n) - rejected) * len(t)  # whole numbers: no rounding at equality

    found = [(side, bisect_left(side, True, key=overtaken)) for side in (t, n)]
    return min((float(side[i]) for side, i in found if i < len(side)), default=math.inf)
