"""Rates by cohort of speakers, and the gaps between cohorts with their nulls.

A rate is any ratio of sums by speaker: word errors over words, multiply-accumulates over seconds of audio. A cohort is
published from ten speakers and thirty errors; a smaller one stays in the table as ``insufficient``. Every gap comes
with the gap that chance alone would show (speakers dealt to the same cohorts at random) and with the smallest one that
these speakers could reveal. Speakers are resampled *inside* each cohort; intervals hold for the pair named, so a pair
picked from the same data is best ranked on other speakers and given as ``pair``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from earmark.bench.metrics.eer_cohorts import EER_GAPS, CohortEer, EerCohorts, eer_cohorts
from earmark.bench.metrics.gaps import (
    Comparison,
    Gap,
    Measure,
    Status,
    choose,
    measured,
    members,
    no_gap,
    pair_measures,
    pair_rates,
    spread_measures,
    status_of,
)
from earmark.bench.metrics.resampling import (
    Floats,
    Integers,
    Interval,
    Replicates,
    label_groups,
    permuted_rates,
    reaches_no_further,
    replicate_rates,
    studentized_interval,
    studentizes,
    undefined_interval,
)
from earmark.bench.metrics.statistics import (
    SpeakerSums,
    design_effect,
    rate_standard_error,
    speaker_bootstrap,
    speaker_mean_rate,
)

__all__ = [
    "EER_GAPS",
    "WER_GAPS",
    "CohortEer",
    "CohortRate",
    "EerCohorts",
    "Gap",
    "Measure",
    "cohort_gap",
    "cohort_rates",
    "eer_cohorts",
]

WER_SPREAD = MappingProxyType(
    {
        "wer_cohort_mean": "mean",
        "wer_cohort_max": "max",
        "sd_cohort": "sd",
        "wer_cohort_var": "var",
        "wer_cohort_var_debiased": "var_debiased",
    }
)
"""Metric names of the statistics over all compared cohorts."""
WER_GAPS = ("gap_abs", "gap_rel", "gap_rel_bottom", "gap_ratio", "gap_overall", *WER_SPREAD)


@dataclass(frozen=True, slots=True)
class CohortRate:
    """Errors of one cohort; ``units`` are reference words, or both are other sums where the rate is another one."""

    name: str
    errors: float
    units: float
    n_speakers: int
    n_utterances: int
    speaker_mean: float | None
    standard_error: float | None
    interval: Interval
    status: Status

    @property
    def rate(self) -> float | None:
        """Errors per unit, pooled over the cohort; None without units."""
        return self.errors / self.units if self.units else None


def cohort_rates(
    sums: SpeakerSums,
    labels: Sequence[str],
    *,
    counted: bool = True,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
) -> tuple[CohortRate, ...]:
    """The pooled rate of each cohort with a speaker bootstrap; ``labels`` (S,) gives each speaker's cohort.

    A cohort without errors gets the rule of three, widened by the design effect of all speakers together. With
    ``counted`` false the sums are no counts of errors (multiply-accumulates, seconds): then neither that rule nor the
    floor of thirty applies.
    """
    groups = label_groups(labels, len(sums.speakers))
    widening = design_effect(sums.errors, sums.units)

    def with_interval(cohort: CohortRate, at: Integers) -> CohortRate:
        interval = speaker_bootstrap(
            sums.errors[at],
            sums.units[at],
            n_replicates=n_replicates,
            seed=seed,
            level=level,
            zero_design_effect=widening,
            counted=counted,
        )
        return replace(cohort, interval=interval)

    return tuple(with_interval(_cohort(name, sums, at, level, counted), at) for name, at in groups.items())


def cohort_gap(
    sums: SpeakerSums,
    labels: Sequence[str],
    *,
    pair: tuple[str, str] | None = None,
    counted: bool = True,
    n_replicates: int = 1000,
    n_permutations: int = 1000,
    seed: int,
    level: float = 0.95,
) -> Gap:
    """Every named gap and spread of word error rates across cohorts of speakers, by metric name.

    Of other sums (``counted`` false, see :func:`cohort_rates`) take ``.named(metric)``, which names the gaps after it.

    ``pair`` is (bottom, top) as ranked elsewhere. Below 50 speakers in a cohort of the pair the intervals of
    ``gap_abs``, ``gap_rel``, ``gap_rel_bottom`` and ``gap_ratio`` are bootstrap-t ones, on the plain scale for the
    first and on the logarithm of the ratio for the others; the rest are percentile intervals. The null deals the
    compared speakers to cohorts of the same sizes: the pair's gap if it was given, else the largest minus the smallest.
    """
    groups = label_groups(labels, len(sums.speakers))
    cohorts = {name: _cohort(name, sums, at, level, counted) for name, at in groups.items()}
    found = choose({n: c.rate for n, c in cohorts.items()}, {n: c.status for n, c in cohorts.items()}, pair)
    if found is None:
        return no_gap(WER_GAPS, tuple(groups), level)
    rng = np.random.default_rng(seed)
    drawn = {name: replicate_rates(sums.errors[at], sums.units[at], n_replicates, rng) for name, at in groups.items()}
    dealt = members(groups, found.cohorts)
    sizes = [len(groups[name]) for name in found.cohorts]
    null = permuted_rates(sums.errors[dealt], sums.units[dealt], sizes, n_permutations, rng)

    compared = [cohorts[name] for name in found.cohorts]
    rates = np.array([[c.rate for c in compared]], dtype=np.float64)
    ses = np.array([[c.standard_error or 0.0 for c in compared]])
    overall = np.array([sums.errors.sum() / sums.units.sum()])
    all_words = sum(d.units for d in drawn.values())
    overall_drawn = np.asarray(sum(np.nan_to_num(d.rates) * d.units for d in drawn.values()) / all_words)
    values = _wer_measures(rates, ses, (rates[:, found.bottom], rates[:, found.top]), overall)
    replicates = _wer_measures(*_columns(drawn, found), overall_drawn)
    nulls = _wer_measures(null.rates, null.standard_errors, pair_rates(null.rates, found), overall)
    intervals = _pair_intervals(compared[found.bottom], compared[found.top], drawn, level)
    measures = {
        name: measured(
            float(values[name][0]),
            replicates[name],
            None if name == "wer_cohort_mean" else nulls[name],  # a mean of cohorts says nothing about a gap
            level,
            intervals.get(name),
        )
        for name in WER_GAPS
    }
    return _gap(found, len(dealt), measures)


def _cohort(name: str, sums: SpeakerSums, at: Integers, level: float, counted: bool) -> CohortRate:
    errors, units = sums.errors[at], sums.units[at]
    return CohortRate(
        name=name,
        errors=float(errors.sum()),
        units=float(units.sum()),
        n_speakers=len(at),
        n_utterances=int(sums.n_utterances[at].sum()),
        speaker_mean=speaker_mean_rate(errors, units),
        standard_error=rate_standard_error(errors, units),
        interval=undefined_interval(level),
        status=status_of(len(at), float(errors.sum())) if counted else status_of(len(at)),
    )


def _gap(found: Comparison, n_speakers: int, measures: Mapping[str, Measure]) -> Gap:
    bottom, top = found.cohorts[found.bottom], found.cohorts[found.top]
    return Gap(bottom, top, found.cohorts, n_speakers, found.status, MappingProxyType(dict(measures)))


def _columns(drawn: Mapping[str, Replicates], found: Comparison) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Replicates of the compared cohorts as (R, K) rates and standard errors, and those of the pair."""
    rates = np.column_stack([drawn[name].rates for name in found.cohorts])
    ses = np.column_stack([np.nan_to_num(drawn[name].standard_errors) for name in found.cohorts])
    return rates, ses, (rates[:, found.bottom], rates[:, found.top])


def _wer_measures(
    rates: Floats, standard_errors: Floats, pair: tuple[Floats, Floats], overall: Floats
) -> dict[str, Floats]:
    spread = spread_measures(rates, standard_errors)
    return pair_measures(*pair, overall) | {name: spread[key] for name, key in WER_SPREAD.items()}


def _pair_intervals(
    bottom: CohortRate, top: CohortRate, drawn: Mapping[str, Replicates], level: float
) -> dict[str, Interval]:
    """Bootstrap-t intervals of the pair's gaps where a cohort is small; gap_rel and its kin follow from the ratio."""
    if not studentizes("auto", min(bottom.n_speakers, top.n_speakers)) or not bottom.rate or not top.rate:
        return {}
    b, t = drawn[bottom.name], drawn[top.name]
    se_b, se_t = bottom.standard_error or 0.0, top.standard_error or 0.0
    intervals = {}
    difference = studentized_interval(
        bottom.rate - top.rate, math.hypot(se_b, se_t), b.rates - t.rates,
        np.hypot(b.standard_errors, t.standard_errors), level,
    )  # fmt: skip
    if difference is not None:
        intervals["gap_abs"] = difference
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = studentized_interval(
            math.log(bottom.rate / top.rate), math.hypot(se_b / bottom.rate, se_t / top.rate),
            np.log(b.rates / t.rates), np.hypot(b.standard_errors / b.rates, t.standard_errors / t.rates), level,
        )  # fmt: skip
    if log_ratio is not None and reaches_no_further(log_ratio, math.log(bottom.rate / top.rate)):
        low, high = math.exp(log_ratio.low or 0.0), math.exp(log_ratio.high or 0.0)
        intervals["gap_ratio"] = Interval(low, high, level, log_ratio.method)
        intervals["gap_rel"] = Interval(low - 1, high - 1, level, log_ratio.method)
        intervals["gap_rel_bottom"] = Interval(1 - 1 / low, 1 - 1 / high, level, log_ratio.method)
    return intervals
