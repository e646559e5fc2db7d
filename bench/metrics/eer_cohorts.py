"""Equal error rates by cohort of speakers and the gaps between them.

A cohort's trials are those whose two speakers are both in it. Intervals are from a joint bootstrap of speakers drawn
inside each cohort; the null deals speakers to cohorts of the same sizes and takes the trials that fall inside. Cohorts
of equal EER may fare very differently at one threshold: that is in ``differentials``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.gaps import (
    Gap,
    Status,
    choose,
    measured,
    no_gap,
    pair_measures,
    pair_rates,
    spread_measures,
    status_of,
)
from earmark.bench.metrics.resampling import (
    Floats,
    Interval,
    percentile_interval,
    undefined_interval,
)
from earmark.bench.metrics.verification import equal_error_rate

EER_GAPS = (
    "eer_gap_abs",
    "eer_gap_rel",
    "eer_gap_rel_bottom",
    "eer_gap_ratio",
    "eer_gap_overall",
    "eer_cohort_mean",
    "eer_cohort_max",
    "eer_cohort_std",
)


@dataclass(frozen=True, slots=True)
class CohortEer:
    """Verification inside one cohort; the rate is None where a side has no trials.

    ``status`` is ``ok`` from ten speakers and thirty errors of either kind at the EER: EER times the smaller number of
    target and non-target trials is at least 30.
    """

    name: str
    eer: float | None
    n_targets: int
    n_nontargets: int
    n_speakers: int
    interval: Interval
    status: Status


@dataclass(frozen=True, slots=True)
class EerCohorts:
    """All cohorts by name, the EER of the whole list, and the gaps."""

    cohorts: tuple[CohortEer, ...]
    overall: float
    gap: Gap


def eer_cohorts(
    scores: ArrayLike,
    is_target: ArrayLike,
    enroll_speaker: Sequence[str],
    test_speaker: Sequence[str],
    cohort_of: Mapping[str, str],
    *,
    pair: tuple[str, str] | None = None,
    n_replicates: int = 500,
    n_permutations: int = 200,
    seed: int,
    level: float = 0.95,
) -> EerCohorts:
    """EER of each cohort, each at its own threshold, and every named gap; ``cohort_of`` maps speakers to cohorts.

    Two hundred permutations set the 95 % point of a null to about one and a half points of probability. Where the
    list pairs non-targets within cohorts only, dealing speakers anew leaves fewer of them, so the null is wider than
    the data deserve: cautious, never flattering.
    """
    trials = CohortTrials.read(scores, is_target, enroll_speaker, test_speaker, cohort_of)
    overall = equal_error_rate(*trials.sides())
    rng = np.random.default_rng(seed)
    drawn = _replicates(trials, trials.draws(n_replicates, rng))
    cohorts = tuple(_cohort(trials, c, drawn[:, c], level) for c in range(len(trials.names)))
    found = choose({c.name: c.eer for c in cohorts}, {c.name: c.status for c in cohorts}, pair)
    if found is None:
        return EerCohorts(cohorts, overall, no_gap(EER_GAPS, trials.names, level))
    columns = [trials.names.index(name) for name in found.cohorts]
    rates = np.array([[cohorts[c].eer for c in columns]], dtype=np.float64)
    null = _permuted(trials, columns, n_permutations, rng)
    values = _measures(rates, (rates[:, found.bottom], rates[:, found.top]), np.array([overall]))
    inside = drawn[:, columns]
    replicates = _measures(inside, (inside[:, found.bottom], inside[:, found.top]), drawn[:, -1])
    nulls = _measures(null, pair_rates(null, found), np.array([overall]))
    measures = {
        name: measured(
            float(values[name][0]), replicates[name], None if name == "eer_cohort_mean" else nulls[name], level
        )
        for name in EER_GAPS
    }
    bottom, top = found.cohorts[found.bottom], found.cohorts[found.top]
    n_speakers = sum(cohorts[c].n_speakers for c in columns)
    gap = Gap(bottom, top, found.cohorts, n_speakers, found.status, MappingProxyType(measures))
    return EerCohorts(cohorts, overall, gap)


def _measures(rates: Floats, pair: tuple[Floats, Floats], overall: Floats) -> dict[str, Floats]:
    spread = spread_measures(rates, np.zeros_like(rates))
    gaps = {f"eer_{name}": gap for name, gap in pair_measures(*pair, overall).items()}
    # Over K, not K - 1: the spread over nationality that papers on verification print.
    return gaps | {
        "eer_cohort_mean": spread["mean"],
        "eer_cohort_max": spread["max"],
        "eer_cohort_std": rates.std(axis=-1),
    }


def _cohort(trials: CohortTrials, c: int, drawn: Floats, level: float) -> CohortEer:
    inside = trials.inside(c)
    targets, others = trials.sides(inside)
    n_speakers = trials.n_speakers(inside)
    eer = equal_error_rate(targets, others) if len(targets) and len(others) else None
    return CohortEer(
        name=trials.names[c],
        eer=eer,
        n_targets=len(targets),
        n_nontargets=len(others),
        n_speakers=n_speakers,
        # Resampling a cohort without errors gives no errors: that is no certainty.
        interval=percentile_interval(drawn, level) if n_speakers > 1 and eer else undefined_interval(level),
        status=status_of(n_speakers, (eer or 0.0) * min(len(targets), len(others))),
    )


def _replicates(trials: CohortTrials, multiplicities: Floats) -> Floats:
    """EERs (R, K + 1) of each cohort and, last, of all trials; NaN where a side is missing."""
    parts = [trials.weighted(trials.inside(c)) for c in range(len(trials.names))]
    parts.append(trials.weighted(np.ones(len(trials.scores), dtype=bool)))
    nothing = np.full(len(multiplicities), np.nan)
    return np.column_stack(
        [nothing if part is None else [part.equal_error_rate(k) for k in multiplicities] for part in parts]
    )


def _permuted(trials: CohortTrials, columns: Sequence[int], n_permutations: int, rng: np.random.Generator) -> Floats:
    """EERs (P, K) of the cohorts in ``columns`` when their speakers are dealt to them at random; or NaN."""
    null = np.full((n_permutations, len(columns)), np.nan)
    for row, dealt in zip(null, trials.deals(columns, n_permutations, rng), strict=True):
        for j, c in enumerate(columns):
            targets, others = trials.sides(trials.inside(c, dealt))
            if len(targets) and len(others):
                row[j] = equal_error_rate(targets, others)
    return null
