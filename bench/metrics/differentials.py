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
from numpy.typing import ArrayLike

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.gaps import MIN_SPEAKERS, Measure, Status, measured
from earmark.bench.metrics.resampling import Floats, percentile_interval, undefined_interval
from earmark.bench.metrics.speaker_pairs import Rate, SpeakerPairs

DIFFERENTIALS = ("fdr", "garbe", "fnmr_ratio", "fmr_ratio")
ALPHA = 0.5
"""Weight of false matches against false non-matches: neither counts more. Our choice; the papers leave it open."""


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
    pairs = SpeakerPairs.of(trials, threshold)
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


def _measure(name: str, value: Floats, replicates: Floats, null: Floats, level: float) -> Measure:
    if name != "fdr":
        return measured(float(value[0]), replicates, null, level)
    turned = measured(-float(value[0]), -replicates, -null, level)
    back = [None if x is None else -x for x in (turned.null_q95, turned.detectable)]
    return Measure(float(value[0]), percentile_interval(replicates, level), *back)


def _cohort(trials: CohortTrials, pairs: SpeakerPairs, c: int, drawn: Floats, level: float) -> CohortRates:
    inside = pairs.inside(trials.cohort_index, c)
    n_speakers = trials.n_speakers(trials.inside(c))
    rates = []
    for j, kind in enumerate((inside & pairs.same, inside & ~pairs.same)):
        errors, n = int(pairs.errors[kind].sum()), int(pairs.trials[kind].sum())
        rates.append(Rate.of(errors, n, n_speakers, drawn[:, j], level))
    return CohortRates(trials.names[c], n_speakers, *rates)


def _compared(cohorts: Sequence[CohortRates]) -> list[int]:
    known = [c for c, cohort in enumerate(cohorts) if cohort.fnmr.trials and cohort.fmr.trials]
    large = [c for c in known if cohorts[c].n_speakers >= MIN_SPEAKERS]
    return large if len(large) >= 2 else known


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
