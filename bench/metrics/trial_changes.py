"""What changed between two embedders heard on the same trials: for everybody, by cohort, in gap and spread.

Speakers are drawn once for both sides, inside each cohort, so that what is common to them cancels; where there are
several seeds of a method, seeds are drawn together with them (``metrics.paired`` says how many). K seeds, n trials,
R replicates, M measures. With few seeds the interval says little of how much seeds differ: look at every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.paired import seed_shares
from earmark.bench.metrics.resampling import Floats, Interval, percentile_interval
from earmark.bench.metrics.trial_bootstrap import WeightedTrials

OVERALL, GAP, SPREAD = "eer", "eer_gap_abs", "eer_cohort_std"
EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class TrialChange:
    """One measure before and after, by seed (K,); ``interval`` is of the mean change, ``relative`` of its share."""

    before: tuple[float, ...]
    after: tuple[float, ...]
    interval: Interval
    relative_interval: Interval

    @property
    def value(self) -> float:
        """Mean change over the seeds, after minus before."""
        return float(np.mean(self.after) - np.mean(self.before))

    @property
    def relative(self) -> float | None:
        """The change as a share of what was before; None where that was nothing."""
        return self.value / float(np.mean(self.before)) if np.mean(self.before) else None


@dataclass(frozen=True, slots=True)
class TrialChanges:
    """``overall``, ``cohorts`` by name, and where two have trials of both kinds, gap and spread.

    The gap is of ``pair``, bottom and top: the cohorts with the highest and the lowest mean EER before.
    """

    overall: TrialChange
    cohorts: Mapping[str, TrialChange]
    pair: tuple[str, str] | None = None
    gap: TrialChange | None = None
    spread: TrialChange | None = None

    @property
    def leveled_down(self) -> bool:
        """Whether the gap shrank mostly because the top cohort got worse, as in ``metrics.ledger``."""
        if self.pair is None or self.gap is None or self.gap.value >= 0:
            return False
        return self.cohorts[self.pair[1]].value > -self.gap.value / 2


def trial_changes(
    before: ArrayLike,
    after: ArrayLike,
    is_target: ArrayLike,
    enroll: Sequence[str],
    test: Sequence[str],
    cohort_of: Mapping[str, str] | None = None,
    *,
    n_replicates: int = 300,
    seed: int,
    level: float = 0.95,
) -> TrialChanges:
    """EER of systems whose scores are (n,), or (K, n) of several seeds, on the same trials.

    A cohort's trials are those whose two speakers are both in it. InputError where the sides differ in shape.
    """
    sides = [np.atleast_2d(np.asarray(scores, dtype=np.float64)) for scores in (before, after)]
    if sides[0].shape != sides[1].shape:
        raise InputError(f"scores of shape {sides[0].shape} before and {sides[1].shape} after")
    known = dict.fromkeys({*enroll, *test}, EVERYBODY) if cohort_of is None else cohort_of
    read = [[CohortTrials.read(row, is_target, enroll, test, known) for row in side] for side in sides]
    one = read[0][0]
    parts = [np.ones(len(one.scores), dtype=bool)]
    names = [] if cohort_of is None else [n for c, n in enumerate(one.names) if _both(one, c)]
    parts += [one.inside(one.names.index(name)) for name in names]
    lists = [[[_list(trials, part) for part in parts] for trials in side] for side in read]
    rng = np.random.default_rng(seed)
    draws = one.draws(n_replicates, rng)
    found = _figures(lists, np.ones((1, draws.shape[1])))[:, :, 0]  # (2, K, M)
    pair = _pair(found[0, :, 1:].mean(axis=0)) if len(names) > 1 else None
    values, drawn = _with_across(found, pair), _with_across(_figures(lists, draws), pair)
    shares = seed_shares(values.shape[1], n_replicates, rng)
    changes = [_change(values[..., m], drawn[..., m], shares, level) for m in range(values.shape[-1])]
    by_name = dict(zip(names, changes[1:], strict=False))
    if pair is None:
        return TrialChanges(changes[0], by_name)
    return TrialChanges(changes[0], by_name, (names[pair[0]], names[pair[1]]), changes[-2], changes[-1])


def _both(trials: CohortTrials, cohort: int) -> bool:
    return all(len(side) for side in trials.sides(trials.inside(cohort)))


def _list(trials: CohortTrials, part: np.ndarray) -> WeightedTrials:
    found = trials.weighted(part)
    if found is None:
        raise InputError("no target trials, or no others", fix="error rates need trials of both kinds")
    return found


def _figures(lists: Sequence[Sequence[Sequence[WeightedTrials]]], draws: Floats) -> Floats:
    """EERs (2, K, R, M) of every list of both sides and all seeds under draws (R, S) of speakers."""
    return np.array([[[[part.equal_error_rate(k) for part in one] for k in draws] for one in side] for side in lists])


def _pair(rates: Floats) -> tuple[int, int]:
    return int(np.argmax(rates)), int(np.argmin(rates))


def _with_across(figures: Floats, pair: tuple[int, int] | None) -> Floats:
    """The figures (..., M), and where there is a pair its gap and the standard deviation over cohorts behind them."""
    if pair is None:
        return figures
    cohorts = figures[..., 1:]
    gap = cohorts[..., pair[0]] - cohorts[..., pair[1]]
    return np.concatenate([figures, gap[..., None], cohorts.std(axis=-1)[..., None]], axis=-1)


def _change(values: Floats, drawn: Floats, shares: Floats, level: float) -> TrialChange:
    """``values`` (2, K), ``drawn`` (2, K, R), ``shares`` (R, K) in which seeds were drawn."""
    before, after = (np.einsum("kr,rk->r", side, shares) for side in drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(before > 0, (after - before) / before, np.nan)
    return TrialChange(
        tuple(map(float, values[0])), tuple(map(float, values[1])),
        percentile_interval(after - before, level), percentile_interval(relative, level),
    )  # fmt: skip
