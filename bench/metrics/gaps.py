"""What one number says about several cohorts: gaps between two of them and the spread of all.

The same formulas serve word error rates, equal error rates, rates of anything else summed by speaker, and percentiles
of delays. They act on the last axis, cohorts, of an array of rates, so that the value, its bootstrap replicates and its
null come from one place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers, Interval, percentile_interval, quantile_of_sorted

Status: TypeAlias = Literal["ok", "insufficient"]

MIN_SPEAKERS = 10
MIN_ERRORS = 30
"""Doddington's rule of 30: 30 independent errors give a rate to about 30 % with 90 % confidence (1.645 / sqrt(30)).

Errors of one speaker aren't independent, hence the floor of ten speakers as well.
"""
PAIR_GAPS = ("gap_abs", "gap_rel", "gap_ratio")
"""The gaps that every metric has; for all but word error rates its name stands in front."""
_POWER_80 = 0.8416212335729143  # standard normal quantile at 0.80


@dataclass(frozen=True, slots=True)
class Measure:
    """One statistic across cohorts.

    ``null_q95``: what it stays under in 95 % of random assignments of speakers to cohorts. ``detectable``: the
    smallest true value seen with 80 % power, null_q95 + 0.84 SE, with SE half the central 68 % of the replicates.
    Where missing outputs count as infinity, each of them may be infinite.
    """

    value: float | None
    interval: Interval
    null_q95: float | None
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Statistics across cohorts by metric name, and the pair that the ``gap_...`` ones compare.

    ``status`` is ``insufficient`` where a cohort of the pair is, or fewer than two cohorts could be compared; then
    ``bottom`` and ``top`` may be None and every value too. ``n_speakers`` counts those of the compared cohorts.
    """

    bottom: str | None
    top: str | None
    cohorts: tuple[str, ...]
    n_speakers: int
    status: Status
    measures: Mapping[str, Measure]

    def __getitem__(self, name: str) -> Measure:
        return self.measures[name]

    def named(self, metric: str) -> Gap:
        """The pair's gaps under another metric's names, such as ``gate_rate_gap_rel``; spreads are left out."""
        kept = zip(gap_names(metric), (self.measures[name] for name in PAIR_GAPS), strict=True)
        return replace(self, measures=MappingProxyType(dict(kept)))


def gap_names(metric: str) -> tuple[str, ...]:
    """The names under which a metric's gaps are recorded.

    >>> gap_names("upl_final_p95")
    ('upl_final_p95_gap_abs', 'upl_final_p95_gap_rel', 'upl_final_p95_gap_ratio')
    """
    return tuple(f"{metric}_{name}" for name in PAIR_GAPS)


def status_of(n_speakers: int, n_errors: float = math.inf) -> Status:
    """Whether a cohort is large enough to publish: ten speakers and, where errors are counted, thirty of them."""
    return "ok" if n_speakers >= MIN_SPEAKERS and n_errors >= MIN_ERRORS else "insufficient"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which cohorts are compared and which two make the pair; indices count ``cohorts``."""

    cohorts: tuple[str, ...]
    bottom: int
    top: int
    fixed: bool
    status: Status


def choose(
    rates: Mapping[str, float | None], statuses: Mapping[str, Status], pair: tuple[str, str] | None
) -> Comparison | None:
    """The comparison of sufficient cohorts; of all that have a rate where fewer than two suffice; None below two.

    Without ``pair`` the bottom is the cohort of the highest rate and the top that of the lowest, the first by name of
    equals. A pair ranked elsewhere, (bottom, top), is kept even if it turns out the other way around.
    """
    for name in pair or ():
        if rates.get(name) is None:
            raise InputError(f"cohort {name!r} of the pair has no rate here", fix=f"cohorts: {', '.join(rates)}")
    known = [name for name in sorted(rates) if rates[name] is not None]
    enough = [name for name in known if statuses[name] == "ok" or name in (pair or ())]
    compared = enough if len(enough) >= 2 else known
    if len(compared) < 2:
        return None
    values = [rates[name] or 0.0 for name in compared]
    if pair is None:
        bottom, top = values.index(max(values)), values.index(min(values))
    else:
        bottom, top = compared.index(pair[0]), compared.index(pair[1])
    sound = all(statuses[compared[i]] == "ok" for i in (bottom, top))
    return Comparison(tuple(compared), bottom, top, pair is not None, "ok" if sound else "insufficient")


def pair_measures(bottom: Floats, top: Floats, overall: Floats) -> dict[str, Floats]:
    """The named gaps of two rates; NaN where the denominator isn't above zero.

    An infinite bottom (a percentile over missing outputs) is infinitely far from a finite top.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "gap_abs": bottom - top,
            "gap_rel": (bottom - top) / _above_zero(top),
            "gap_rel_bottom": (bottom - top) / _above_zero(bottom),
            "gap_ratio": bottom / _above_zero(top),
            "gap_overall": (bottom - overall) / _above_zero(overall),
        }


def _above_zero(rates: Floats) -> Floats:
    return np.where(rates > 0, rates, np.nan)


def spread_measures(rates: Floats, standard_errors: Floats) -> dict[str, Floats]:
    """Mean, maximum and spread of rates (R, K), each cohort counting the same.

    ``var_debiased`` = max(0, variance - mean SE^2), variance over K - 1 (Lum et al., "De-biasing bias measurement").
    """
    variance = np.var(rates, axis=-1, ddof=1)
    return {
        "mean": rates.mean(axis=-1),
        "max": rates.max(axis=-1),
        "sd": np.sqrt(variance),
        "var": variance,
        "var_debiased": np.fmax(0.0, variance - np.mean(standard_errors**2, axis=-1)),
    }


def debiased_spread(rates: ArrayLike, standard_errors: ArrayLike) -> float:
    """The variance of cohorts' rates (K,) that the noise of each doesn't explain; its root is a spread in rates.

    max(0, variance over K - 1 minus mean SE^2), Lum et al., "De-biasing bias measurement". NaN below two cohorts.

    >>> round(debiased_spread([0.10, 0.12, 0.20], [0.02, 0.03, 0.05]), 8)
    0.00153333
    """
    rate, se = np.asarray(rates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if rate.ndim != 1 or rate.shape != se.shape:
        raise InputError(f"rates have shape {rate.shape} and standard errors {se.shape}")
    return float(spread_measures(rate[None, :], se[None, :])["var_debiased"][0]) if len(rate) > 1 else math.nan


def pair_rates(rates: Floats, comparison: Comparison) -> tuple[Floats, Floats]:
    """Bottom and top rate of each row of a null (R, K): the pair itself if it was fixed, else the extremes.

    A pair fixed beforehand was not selected, so its null isn't that of the largest gap.
    """
    if comparison.fixed:
        return rates[:, comparison.bottom], rates[:, comparison.top]
    return rates.max(axis=-1), rates.min(axis=-1)


def measured(
    value: float, replicates: Floats, null: Floats | None, level: float, interval: Interval | None = None
) -> Measure:
    """A measure from its value, bootstrap replicates and null; the interval is that of percentiles unless given."""
    if math.isnan(value):
        return Measure(None, Interval(None, None, level, "undefined"), None, None)
    interval = interval or percentile_interval(replicates, level)
    null_q95 = _quantile(null, 0.95) if null is not None else None
    low, high = _quantile(replicates, 0.158655), _quantile(replicates, 0.841345)
    if null_q95 is None or low is None or high is None:
        return Measure(value, interval, null_q95, None)
    spread = high - low if math.isfinite(low) else math.inf
    return Measure(value, interval, null_q95, null_q95 + _POWER_80 * spread / 2)


def _quantile(values: Floats, q: float) -> float | None:
    """The quantile of those that are defined; None without any."""
    known = np.sort(values[~np.isnan(values)])
    return quantile_of_sorted(known, q) if len(known) else None


def no_gap(names: Sequence[str], cohorts: Sequence[str], level: float) -> Gap:
    """The gap of fewer than two cohorts: every row exists, without a value."""
    nothing = Measure(None, Interval(None, None, level, "undefined"), None, None)
    return Gap(None, None, tuple(cohorts), 0, "insufficient", MappingProxyType(dict.fromkeys(names, nothing)))


def members(groups: Mapping[str, Integers], names: Sequence[str]) -> Integers:
    """Indices of the speakers of several cohorts, cohort after cohort."""
    return np.concatenate([groups[name] for name in names])
