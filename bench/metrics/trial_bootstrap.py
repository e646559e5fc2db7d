"""Intervals of verification measures by a joint bootstrap over speakers.

A trial has two speakers, so neither trials nor pairs are independent: speakers are drawn, and one drawn k_i times
weighs its target trials k_i and a non-target trial with another speaker k_i * k_j. Resampling trials instead gives
intervals that are far too narrow. Scores are sorted and pooled once; a draw then is a pass over weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers, speaker_draws
from earmark.bench.metrics.rocch import Blocks, interpolate
from earmark.bench.metrics.verification import bayes_threshold, sorted_sides, target_cost

PRIORS = {"p01": 0.01, "p05": 0.05}
"""Target priors of detection costs: the habit on VoxCeleb, and that of VoxSRC (with NIST's audio from video)."""
TELEPHONE_PRIORS = (0.01, 0.005)
"""Whose mean cost is ``min_dcf``: NIST's plans for telephone speech."""

PIECE = 256
"""Trials whose weights are summed at once: a draw is then a few sums, and a search inside one piece."""


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

    A draw without any target or non-target trial gives NaN; ``percentile_interval`` leaves it out.
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
    """Trials sorted and pooled by score once, whose weighted measures are then one pass for each draw of speakers."""

    def __init__(
        self,
        scores: ArrayLike,
        is_target: ArrayLike,
        enroll: Integers,
        test: Integers,
        llrs: ArrayLike | None = None,
    ) -> None:
        """``enroll`` and ``test`` (n,) are speakers as indices into the multiplicities given later.

        ``llrs`` (n,) are the trials' natural-log likelihood ratios, where there are any.
        """
        s, target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
        if not len(s) == len(target) == len(enroll) == len(test):
            raise InputError("trials need one score, one label and two speakers each")
        sorted_sides(s[target], s[~target])
        if ((enroll == test) != target).any():
            raise InputError("a trial's label contradicts its speakers", fix="targets are trials of one speaker")
        order = np.argsort(s, kind="stable")
        s, target, enroll, test = s[order], target[order], enroll[order], test[order]
        self._target_places, self._other_places = np.flatnonzero(target), np.flatnonzero(~target)
        self._target_speaker = enroll[target]
        self._other_enroll, self._other_test = enroll[~target], test[~target]
        self._target = target
        # Trials in pieces of the pooled order: how many targets and non-targets come before each piece.
        edges = np.arange(0, len(s) + PIECE, PIECE)
        self._targets_before = np.searchsorted(self._target_places, edges)
        self._others_before = np.searchsorted(self._other_places, edges)
        # Where the run of equal scores around each trial starts and ends.
        self._tie_start, self._tie_end = np.searchsorted(s, s), np.searchsorted(s, s, side="right")
        self._blocks = Blocks.of(s[target], s[~target])
        self._llrs: tuple[Floats, Floats] | None = None
        if llrs is not None:
            ratios = np.asarray(llrs, dtype=np.float64)[order]
            self._llrs = ratios[target], ratios[~target]

    def equal_error_rate(self, multiplicities: Floats) -> float:
        """Weighted EER, interpolated as :func:`equal_error_rate`; NaN where a side has no weight."""
        targets, others = self._weights(multiplicities)
        n_targets, n_others = targets.sum(), others.sum()
        if not n_targets or not n_others:
            return math.nan
        crossing = self._crossing(targets * n_others, others * n_targets, n_targets * n_others)
        return interpolate(
            *self._rates_before(self._tie_start[crossing], targets, others),
            *self._rates_before(self._tie_end[crossing], targets, others),
        )

    def measures(self, multiplicities: Floats) -> dict[str, float]:
        """Every measure of a verification list by its name in the tables; empty where a side has no weight.

        Multiplicities of one give the measures of the list itself. Those that need likelihood ratios are there where
        the trials have any.
        """
        targets, others = self._weights(multiplicities)
        if not targets.any() or not others.any():
            return {}
        hull = self._blocks.hull(targets, others)
        found = {"eer": self.equal_error_rate(multiplicities), "eer_hull": hull.equal_error_rate()}
        found |= {f"min_dcf_{name}": hull.min_dcf(p) for name, p in PRIORS.items()}
        found["min_dcf"] = sum(hull.min_dcf(p) for p in TELEPHONE_PRIORS) / len(TELEPHONE_PRIORS)
        found["min_cllr"] = hull.min_cllr()
        return found | self._calibrated(targets, others, found["min_cllr"])

    def _calibrated(self, targets: Floats, others: Floats, min_cllr: float) -> dict[str, float]:
        if self._llrs is None:
            return {}
        shares = targets / targets.sum(), others / others.sum()
        cost = float(shares[0] @ target_cost(self._llrs[0]) + shares[1] @ target_cost(-self._llrs[1])) / 2
        found = {"cllr": cost, "calibration_loss": cost - min_cllr}
        for name, p in PRIORS.items():
            threshold = bayes_threshold(p)
            p_miss = float(shares[0] @ (self._llrs[0] < threshold))
            p_fa = float(shares[1] @ (self._llrs[1] >= threshold))
            found[f"act_dcf_{name}"] = (p * p_miss + (1 - p) * p_fa) / min(p, 1 - p)
        return found

    def _weights(self, multiplicities: Floats) -> tuple[Floats, Floats]:
        k = multiplicities
        return k[self._target_speaker], k[self._other_enroll] * k[self._other_test]

    def _crossing(self, targets: Floats, others: Floats, level: float) -> int:
        """The first pooled trial with which rejecting overtakes accepting: where the sum of both reaches ``level``.

        With each side weighed by the other's total the sum is (P_miss - P_fa + 1) times their product, in whole
        numbers, so exact. It is cumulated over pieces, then inside the one where it crosses.
        """
        sums = _sums(targets, self._targets_before) + _sums(others, self._others_before)
        reached = np.append(0.0, np.cumsum(sums))
        piece = int(np.searchsorted(reached, level)) - 1
        where = self._target[piece * PIECE : (piece + 1) * PIECE]
        steps = np.empty(len(where))
        for at, side, before in ((where, targets, self._targets_before), (~where, others, self._others_before)):
            steps[at] = side[before[piece] : before[piece + 1]]
        return piece * PIECE + int(np.searchsorted(reached[piece] + np.cumsum(steps), level))

    def _rates_before(self, place: int, targets: Floats, others: Floats) -> tuple[float, float]:
        """(P_miss, P_fa) when the first ``place`` trials are rejected."""
        n_missed = np.searchsorted(self._target_places, place)
        missed, rejected = targets[:n_missed].sum(), others[: place - n_missed].sum()
        return float(missed / targets.sum()), float(1 - rejected / others.sum())


def _sums(weights: Floats, before: Integers) -> Floats:
    """Sums (P,) of weights by piece, ``before`` (P + 1,) the places where pieces begin and the last ends."""
    sums: Floats = np.add.reduceat(np.append(weights, 0.0), before[:-1])
    return np.where(np.diff(before) > 0, sums, 0.0)  # of an empty piece, reduceat gives what comes after it


def replicated(trials: WeightedTrials, draws: Iterable[NDArray[np.float64]]) -> Mapping[str, Floats]:
    """Replicates (R,) of every measure, by name, for multiplicities (R, S); draws without a side are left out."""
    found = [measures for k in draws if (measures := trials.measures(k))]
    return {name: np.array([measures[name] for measures in found]) for name in (found[0] if found else ())}
