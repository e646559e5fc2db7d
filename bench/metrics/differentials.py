"""How differently cohorts of speakers fare at one threshold, set once on everybody.

Deployed verification has one threshold, so equal error rates at thresholds of a cohort's own hide who pays. At a
shared one each cohort has a false non-match rate (FNMR) and a false match rate (FMR, of pairs inside the cohort), and
differentials say how far they lie apart:

* FDR, the fairness discrepancy rate: 1 - [alpha max |dFMR| + (1 - alpha) max |dFNMR|] (de Freitas Pereira and Marcel,
  arXiv 2011.02395); 1 is equal, and small rates come close to 1 whatever their ratio.
* GARBE, the Gini aggregation rate for biometric equitability: alpha G(FMR) + (1 - alpha) G(FNMR) (Howard et al., arXiv
  2203.05051); 0 is equal, 1 all errors in one cohort.
* The ratio of the largest to the smallest rate (the inequity rate's parts); none where the smallest is 0.

Intervals and nulls hold the threshold fixed: they tell how sure the rates at it are, not how sure the threshold is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.gaps import MIN_ERRORS, MIN_SPEAKERS, Measure, Status, measured
from earmark.bench.metrics.resampling import Floats, Interval, percentile_interval, undefined_interval

DIFFERENTIALS = ("fdr", "garbe", "fnmr_ratio", "fmr_ratio")
ALPHA = 0.5
"""Weight of false matches against false non-matches: neither counts more. Our choice; the papers leave it open."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors over trials of one kind; ``value`` is None without trials. ``ok`` from ten speakers and thirty errors."""

    errors: int
    trials: int
    interval: Interval
    status: Status

    @property
    def value(self) -> float | None:
        return self.errors / self.trials if self.trials else None


@dataclass(frozen=True, slots=True)
class CohortRates:
    """One cohort at the shared threshold."""

    name: str
    n_speakers: int
    fnmr: Rate
    fmr: Rate


@dataclass(frozen=True, slots=True)
class Differentials:
    """All cohorts by name, and what is said across those in ``compared``.

    ``measures`` has the names of ``DIFFERENTIALS``; the null of ``fdr`` is what it stays *above* in 95 % of random
    deals, as it falls where cohorts differ. ``status`` is ``ok`` where every rate of a compared cohort is.
    """

    threshold: float
    cohorts: tuple[CohortRates, ...]
    compared: tuple[str, ...]
    measures: Mapping[str, Measure]
    status: Status


def fairness_discrepancy_rate(fmr: ArrayLike, fnmr: ArrayLike, alpha: float = ALPHA) -> float:
    """FDR of cohorts' rates (K,): 1 is equal.

    >>> fairness_discrepancy_rate([0.0, 0.5], [0.25, 0.0])
    0.625
    """
    return float(_fdr(*_rows(fmr, fnmr), alpha)[0])


def garbe(fmr: ArrayLike, fnmr: ArrayLike, alpha: float = ALPHA) -> float:
    """GARBE of cohorts' rates (K,): 0 is equal, 1 all errors in one cohort.

    >>> garbe([0.0, 0.5], [0.25, 0.0])
    1.0
    """
    return float(_garbe(*_rows(fmr, fnmr), alpha)[0])


def differentials(
    trials: CohortTrials,
    threshold: float,
    *,
    n_replicates: int = 500,
    n_permutations: int = 200,
    seed: int,
    level: float = 0.95,
) -> Differentials:
    """Rates of each cohort at ``threshold`` and the differentials between cohorts of ten speakers or more.

    Where fewer than two have as many, all with both kinds of trials are compared.
    """
    rng = np.random.default_rng(seed)
    pairs = _Pairs.of(trials, threshold)
    draws = trials.draws(n_replicates, rng)
    inside = [pairs.inside(trials.cohort_index, c) for c in range(len(trials.names))]
    drawn = np.stack([pairs.rates(draws, where) for where in inside], axis=1)  # (R, K, 2)
    cohorts = tuple(_cohort(trials, pairs, c, drawn[:, c], level) for c in range(len(trials.names)))
    columns = _compared(cohorts)
    names = tuple(cohorts[c].name for c in columns)
    if len(columns) < 2:
        nothing = Measure(None, undefined_interval(level), None, None)
        return Differentials(threshold, cohorts, names, dict.fromkeys(DIFFERENTIALS, nothing), "insufficient")
    once = np.ones((1, len(trials.cohort_index)))
    null = [
        [pairs.rates(once, pairs.inside(dealt, c))[0] for c in columns]
        for dealt in trials.deals(columns, n_permutations, rng)
    ]
    plain = np.array([[[cohorts[c].fnmr.value, cohorts[c].fmr.value] for c in columns]], dtype=np.float64)
    values, replicates, nulls = (_measures(rates) for rates in (plain, drawn[:, columns], np.array(null)))
    measures = {name: _measure(name, values[name], replicates[name], nulls[name], level) for name in DIFFERENTIALS}
    sound = all(rate.status == "ok" for c in columns for rate in (cohorts[c].fnmr, cohorts[c].fmr))
    return Differentials(threshold, cohorts, names, MappingProxyType(measures), "ok" if sound else "insufficient")


def false_match_matrix(trials: CohortTrials, threshold: float) -> tuple[Floats, Floats]:
    """False matches and non-target trials (K, K) by the cohorts of the two speakers, symmetric, at one threshold.

    Off the diagonal are impostors from another cohort, who are easier to tell and are left out of every cohort's FMR.
    """
    k = len(trials.names)
    others = ~trials.is_target
    sides = (trials.cohort_index[side[others]] for side in (trials.enroll, trials.test))
    place = np.ravel_multi_index(tuple(np.sort(np.stack(list(sides)), axis=0)), (k, k))
    wrong = (trials.scores[others] >= threshold).astype(np.float64)
    errors, counts = np.bincount(place, wrong, k * k).reshape(k, k), np.bincount(place, minlength=k * k).reshape(k, k)
    return np.maximum(errors, errors.T), np.maximum(counts, counts.T).astype(np.float64)


def _measure(name: str, value: Floats, replicates: Floats, null: Floats, level: float) -> Measure:
    if name != "fdr":
        return measured(float(value[0]), replicates, null, level)
    turned = measured(-float(value[0]), -replicates, -null, level)
    back = [None if x is None else -x for x in (turned.null_q95, turned.detectable)]
    return Measure(float(value[0]), percentile_interval(replicates, level), *back)


def _cohort(trials: CohortTrials, pairs: _Pairs, c: int, drawn: Floats, level: float) -> CohortRates:
    inside = pairs.inside(trials.cohort_index, c)
    n_speakers = trials.n_speakers(trials.inside(c))
    rates = []
    for j, kind in enumerate((inside & pairs.same, inside & ~pairs.same)):
        errors, n = int(pairs.errors[kind].sum()), int(pairs.trials[kind].sum())
        # Resampling a cohort without errors gives no errors: that is no certainty.
        known = errors and n_speakers > 1
        interval = percentile_interval(drawn[:, j], level) if known else undefined_interval(level)
        status: Status = "ok" if n_speakers >= MIN_SPEAKERS and errors >= MIN_ERRORS else "insufficient"
        rates.append(Rate(errors, n, interval, status))
    return CohortRates(trials.names[c], n_speakers, *rates)


def _compared(cohorts: Sequence[CohortRates]) -> list[int]:
    known = [c for c, cohort in enumerate(cohorts) if cohort.fnmr.trials and cohort.fmr.trials]
    large = [c for c in known if cohorts[c].n_speakers >= MIN_SPEAKERS]
    return large if len(large) >= 2 else known


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Errors and trials by pair of speakers: (P,) each. ``same`` marks a speaker against themselves."""

    enroll: NDArray[np.int64]
    test: NDArray[np.int64]
    same: NDArray[np.bool_]
    errors: Floats
    trials: Floats

    @staticmethod
    def of(trials: CohortTrials, threshold: float) -> _Pairs:
        wrong = np.where(trials.is_target, trials.scores < threshold, trials.scores >= threshold)
        n_speakers = len(trials.cohort_index)
        codes, place = np.unique(trials.enroll * n_speakers + trials.test, return_inverse=True)
        enroll, test = np.divmod(codes, n_speakers)
        errors, counts = (np.bincount(place, weights).astype(np.float64) for weights in (wrong, np.ones(len(wrong))))
        return _Pairs(enroll, test, enroll == test, errors, counts)

    def inside(self, cohort_index: NDArray[np.int64], cohort: int) -> NDArray[np.bool_]:
        member = cohort_index == cohort
        both: NDArray[np.bool_] = member[self.enroll] & member[self.test]
        return both

    def rates(self, multiplicities: Floats, where: NDArray[np.bool_]) -> Floats:
        """(FNMR, FMR) (R, 2) of some pairs under multiplicities (R, S) of speakers; NaN without trials."""
        k, same, other = multiplicities, where & self.same, where & ~self.same
        once, joint = k[:, self.enroll[same]], k[:, self.enroll[other]] * k[:, self.test[other]]
        with np.errstate(invalid="ignore", divide="ignore"):
            fnmr = (once @ self.errors[same]) / (once @ self.trials[same])
            fmr = (joint @ self.errors[other]) / (joint @ self.trials[other])
        return np.column_stack([fnmr, fmr])


def _measures(rates: Floats) -> dict[str, Floats]:
    """Differentials (R,) of rates (R, K, 2): FNMR, FMR."""
    fnmr, fmr = rates[..., 0], rates[..., 1]
    return {
        "fdr": _fdr(fmr, fnmr, ALPHA),
        "garbe": _garbe(fmr, fnmr, ALPHA),
        "fnmr_ratio": _ratio(fnmr),
        "fmr_ratio": _ratio(fmr),
    }


def _fdr(fmr: Floats, fnmr: Floats, alpha: float) -> Floats:
    of_fmr, of_fnmr = (rates.max(axis=-1) - rates.min(axis=-1) for rates in (fmr, fnmr))
    found: Floats = 1 - (alpha * of_fmr + (1 - alpha) * of_fnmr)
    return found


def _garbe(fmr: Floats, fnmr: Floats, alpha: float) -> Floats:
    return alpha * _gini(fmr) + (1 - alpha) * _gini(fnmr)


def _gini(rates: Floats) -> Floats:
    """Gini coefficient (R,) of rates (R, K), K/(K - 1) times the plain one so that its largest value is 1.

    Where nobody errs, everybody fares alike: 0.
    """
    n = rates.shape[-1]
    apart = sum(np.abs(rates[..., i] - rates[..., j]) for i, j in combinations(range(n), 2))
    total = rates.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # n/(n - 1) * (2 apart) / (2 n^2 mean), with n * mean the total
        found: Floats = np.where(total == 0, 0.0, apart / ((n - 1) * total))
    return found


def _ratio(rates: Floats) -> Floats:
    least = rates.min(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(least > 0, rates.max(axis=-1) / least, math.nan)
    return found


def _rows(fmr: ArrayLike, fnmr: ArrayLike) -> tuple[Floats, Floats]:
    return np.atleast_2d(np.asarray(fmr, dtype=np.float64)), np.atleast_2d(np.asarray(fnmr, dtype=np.float64))
