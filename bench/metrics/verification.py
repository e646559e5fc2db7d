"""Speaker verification: equal error rate, detection cost and their intervals.

A trial is accepted when its score is at least the threshold. Thresholds run over the distinct scores and +infinity, so
equal scores make one step; P_miss is the share of targets below the threshold and P_fa the share of non-targets at
or above it. Peers differ in ties and interpolation, so the rule of each number is in its docstring. Scores may be any
finite numbers; NaN, infinity and a side without trials raise InputError.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers, speaker_draws


def equal_error_rate(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """EER by linear interpolation between the two thresholds where P_miss overtakes P_fa.

    The upper one is the first threshold with P_miss - P_fa >= 0. Above 0.5 the scores have the wrong sign.

    >>> equal_error_rate([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1])
    0.25
    """
    t, n = _sorted_sides(targets, nontargets)
    upper = _crossing(t, n)
    below = [side[i - 1] for side in (t, n) if (i := int(np.searchsorted(side, upper)))]
    lower = float(max(below))  # the first threshold misses nothing, so some score lies below the crossing
    return _interpolate(*_rates(lower, t, n), *_rates(upper, t, n))


def eer_threshold(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """The first threshold with P_miss - P_fa >= 0: a score, or +infinity if only rejecting everything gets there."""
    return _crossing(*_sorted_sides(targets, nontargets))


def equal_error_rate_hull(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """EER of the convex hull of the ROC (ROCCH): what mixing thresholds at random can reach.

    Never above :func:`equal_error_rate` and never above 0.5, so it hides scores with the wrong sign.
    """
    from scipy.optimize import isotonic_regression

    t, n = _sorted_sides(targets, nontargets)
    thresholds = np.unique(np.concatenate([t, n]))
    n_targets = np.diff(np.append(np.searchsorted(t, thresholds), len(t)))
    n_trials = n_targets + np.diff(np.append(np.searchsorted(n, thresholds), len(n)))
    # The pool-adjacent-violators blocks of the share of targets by score are the vertices of the hull.
    starts = isotonic_regression(n_targets / n_trials, weights=n_trials).blocks[:-1]
    p_miss = np.append(0, np.cumsum(np.add.reduceat(n_targets, starts))) / len(t)
    p_fa = 1 - np.append(0, np.cumsum(np.add.reduceat(n_trials - n_targets, starts))) / len(n)
    j = int(np.argmax(p_miss - p_fa >= 0))
    return _interpolate(float(p_miss[j - 1]), float(p_fa[j - 1]), float(p_miss[j]), float(p_fa[j]))


def min_dcf(
    targets: ArrayLike, nontargets: ArrayLike, p_target: float, c_miss: float = 1.0, c_false_alarm: float = 1.0
) -> float:
    """Smallest detection cost over all thresholds, divided by the better of accepting and rejecting everything.

    min over thresholds of C_m p P_miss + C_f (1 - p) P_fa, over min(C_m p, C_f (1 - p)); between 0 and 1.
    """
    if not 0 < p_target < 1 or c_miss <= 0 or c_false_alarm <= 0:
        raise InputError(f"p_target {p_target} must lie between 0 and 1 and costs {c_miss}, {c_false_alarm} above 0")
    t, n = _sorted_sides(targets, nontargets)
    thresholds = np.append(np.unique(np.concatenate([t, n])), np.inf)
    p_miss = np.searchsorted(t, thresholds) / len(t)
    p_fa = 1 - np.searchsorted(n, thresholds) / len(n)
    miss, false_alarm = c_miss * p_target, c_false_alarm * (1 - p_target)
    return float(np.min(miss * p_miss + false_alarm * p_fa)) / min(miss, false_alarm)


def error_rates_at(threshold: float, targets: ArrayLike, nontargets: ArrayLike) -> tuple[float, float]:
    """FNMR and FMR at a threshold set elsewhere: share of targets below it, share of non-targets at or above it."""
    return _rates(threshold, *_sorted_sides(targets, nontargets))


def eer_bootstrap(
    scores: ArrayLike,
    is_target: ArrayLike,
    enroll_speaker: Sequence[str],
    test_speaker: Sequence[str],
    *,
    n_replicates: int = 500,
    seed: int,
) -> Floats:
    """Equal error rates (R,) of a joint bootstrap over speakers.

    A speaker drawn k_i times weighs a target trial k_i and a non-target trial k_i * k_j. A draw without any target or
    non-target trial gives NaN; ``percentile_interval`` leaves it out.
    """
    speakers, enroll, test = speaker_codes(enroll_speaker, test_speaker)
    trials = WeightedTrials(scores, is_target, enroll, test)
    draws = speaker_draws(np.random.default_rng(seed), len(speakers), n_replicates)
    return np.array([trials.equal_error_rate(k) for block in draws for k in block])


def speaker_codes(enroll: Sequence[str], test: Sequence[str]) -> tuple[tuple[str, ...], Integers, Integers]:
    """Speakers in order of name, and each side of the trials as indices into them."""
    speakers = tuple(sorted({*enroll, *test}))
    place = {name: i for i, name in enumerate(speakers)}
    enroll_codes, test_codes = (np.array([place[name] for name in side], dtype=np.int64) for side in (enroll, test))
    return speakers, enroll_codes, test_codes


class WeightedTrials:
    """Trials sorted by score once, whose weighted equal error rate is then one pass for each draw of speakers."""

    def __init__(self, scores: ArrayLike, is_target: ArrayLike, enroll: Integers, test: Integers) -> None:
        """``enroll`` and ``test`` (n,) are speakers as indices into the multiplicities given later."""
        s, target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
        if not len(s) == len(target) == len(enroll) == len(test):
            raise InputError("trials need one score, one label and two speakers each")
        _sorted_sides(s[target], s[~target])
        if ((enroll == test) != target).any():
            raise InputError("a trial's label contradicts its speakers", fix="targets are trials of one speaker")
        order = np.argsort(s, kind="stable")
        s, target, enroll, test = s[order], target[order], enroll[order], test[order]
        self._target_places, self._other_places = np.flatnonzero(target), np.flatnonzero(~target)
        self._target_speaker = enroll[target]
        self._other_enroll, self._other_test = enroll[~target], test[~target]
        # Where the run of equal scores around each trial starts and ends.
        self._tie_start, self._tie_end = np.searchsorted(s, s), np.searchsorted(s, s, side="right")

    def equal_error_rate(self, multiplicities: Floats) -> float:
        """Weighted EER, interpolated as :func:`equal_error_rate`; NaN where a side has no weight."""
        k = multiplicities
        targets, others = k[self._target_speaker], k[self._other_enroll] * k[self._other_test]
        n_targets, n_others = targets.sum(), others.sum()
        if not n_targets or not n_others:
            return math.nan
        # (P_miss - P_fa + 1) times both totals rises through their product at the crossing; whole numbers, so exact.
        steps = np.empty(len(self._tie_end))
        steps[self._target_places] = targets * n_others
        steps[self._other_places] = others * n_targets
        reached = np.cumsum(steps)
        crossing = int(np.searchsorted(reached, n_targets * n_others))
        return _interpolate(
            *self._rates_before(self._tie_start[crossing], targets, others),
            *self._rates_before(self._tie_end[crossing], targets, others),
        )

    def _rates_before(self, place: int, targets: Floats, others: Floats) -> tuple[float, float]:
        """(P_miss, P_fa) when the first ``place`` trials are rejected."""
        n_missed = np.searchsorted(self._target_places, place)
        missed, rejected = targets[:n_missed].sum(), others[: place - n_missed].sum()
        return float(missed / targets.sum()), float(1 - rejected / others.sum())


def _sorted_sides(targets: ArrayLike, nontargets: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    sides = np.asarray(targets), np.asarray(nontargets)
    for name, side in zip(("target", "non-target"), sides, strict=True):
        if side.ndim != 1 or not len(side):
            raise InputError(f"no {name} trials", fix="error rates need trials of both kinds")
        if not np.isfinite(side).all():
            raise InputError(f"a {name} score is NaN or infinite")
    return np.sort(sides[0]), np.sort(sides[1])


def _rates(threshold: float, t: NDArray[np.floating], n: NDArray[np.floating]) -> tuple[float, float]:
    """(P_miss, P_fa) at a threshold, of sorted scores."""
    return int(np.searchsorted(t, threshold)) / len(t), 1 - int(np.searchsorted(n, threshold)) / len(n)


def _crossing(t: NDArray[np.floating], n: NDArray[np.floating]) -> float:
    """First threshold with P_miss >= P_fa, found by bisection of each side: no list of all thresholds is made."""

    def overtaken(threshold: np.floating) -> bool:
        missed, rejected = int(np.searchsorted(t, threshold)), int(np.searchsorted(n, threshold))
        return missed * len(n) >= (len(n) - rejected) * len(t)  # whole numbers: no rounding at equality

    found = [(side, bisect_left(side, True, key=overtaken)) for side in (t, n)]
    return min((float(side[i]) for side, i in found if i < len(side)), default=math.inf)


def _interpolate(miss_low: float, fa_low: float, miss_high: float, fa_high: float) -> float:
    """Where the segment between two operating points meets P_miss = P_fa."""
    below, above = fa_low - miss_low, miss_high - fa_high
    return miss_low + (miss_high - miss_low) * below / (below + above) if below + above > 0 else miss_high
