"""Equal error rates by cohort of speakers and the gaps between them.

A cohort's trials are those whose two speakers are both in it. Intervals are from a joint bootstrap of speakers drawn
inside each cohort; the null deals speakers to cohorts of the same sizes and takes the trials that fall inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
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
    Integers,
    Interval,
    percentile_interval,
    speaker_draws,
    undefined_interval,
)
from earmark.bench.metrics.verification import WeightedTrials, eer_threshold, equal_error_rate, speaker_codes

EER_GAPS = (
    "eer_gap_abs",
    "eer_gap_rel",
    "eer_gap_rel_bottom",
    "eer_gap_ratio",
    "eer_gap_overall",
    "eer_cohort_mean",
    "eer_cohort_max",
)


@dataclass(frozen=True, slots=True)
class CohortEer:
    """Verification inside one cohort; rates are None where a side has no trials.

    ``status`` is ``ok`` from ten speakers and thirty errors of either kind at the EER: EER times the smaller number of
    target and non-target trials is at least 30. ``fnmr_at_eer`` and ``fmr_at_eer`` are at the one threshold of the
    whole list, where two cohorts of equal EER may still fare very differently.
    """

    name: str
    eer: float | None
    fnmr_at_eer: float | None
    fmr_at_eer: float | None
    n_targets: int
    n_nontargets: int
    n_speakers: int
    interval: Interval
    status: Status


@dataclass(frozen=True, slots=True)
class EerCohorts:
    """All cohorts by name, the EER of the whole list with its threshold, and the gaps."""

    cohorts: tuple[CohortEer, ...]
    overall: float
    threshold: float
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
    """EER of each cohort, shared-threshold error rates and every named gap; ``cohort_of`` maps speakers to cohorts.

    Two hundred permutations set the 95 % point of a null to about one and a half points of probability. Where the
    list pairs non-targets within cohorts only, dealing speakers anew leaves fewer of them, so the null is wider than
    the data deserve: cautious, never flattering.
    """
    trials = _Trials.read(scores, is_target, enroll_speaker, test_speaker, cohort_of)
    overall = equal_error_rate(*trials.sides())
    threshold = eer_threshold(*trials.sides())
    rng = np.random.default_rng(seed)
    drawn = trials.replicates(n_replicates, rng)
    cohorts = tuple(trials.cohort(c, threshold, drawn, level) for c in range(len(trials.names)))
    found = choose({c.name: c.eer for c in cohorts}, {c.name: c.status for c in cohorts}, pair)
    if found is None:
        return EerCohorts(cohorts, overall, threshold, no_gap(EER_GAPS, trials.names, level))
    columns = [trials.names.index(name) for name in found.cohorts]
    rates = np.array([[cohorts[c].eer for c in columns]], dtype=np.float64)
    null = trials.permuted(columns, n_permutations, rng)
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
    return EerCohorts(cohorts, overall, threshold, gap)


def _measures(rates: Floats, pair: tuple[Floats, Floats], overall: Floats) -> dict[str, Floats]:
    spread = spread_measures(rates, np.zeros_like(rates))
    gaps = {f"eer_{name}": gap for name, gap in pair_measures(*pair, overall).items()}
    return gaps | {"eer_cohort_mean": spread["mean"], "eer_cohort_max": spread["max"]}


@dataclass(frozen=True, slots=True)
class _Trials:
    """Trials with speakers as indices, and speakers with cohorts as indices."""

    scores: Floats
    is_target: NDArray[np.bool_]
    enroll: Integers
    test: Integers
    names: tuple[str, ...]
    cohort_index: Integers

    @staticmethod
    def read(
        scores: ArrayLike,
        is_target: ArrayLike,
        enroll: Sequence[str],
        test: Sequence[str],
        cohort_of: Mapping[str, str],
    ) -> _Trials:
        speakers, enroll_codes, test_codes = speaker_codes(enroll, test)
        missing = [s for s in speakers if s not in cohort_of]
        if missing:
            raise InputError(f"{len(missing)} speakers have no cohort, e.g. {missing[0]!r}")
        names = tuple(sorted({cohort_of[s] for s in speakers}))
        index = np.array([names.index(cohort_of[s]) for s in speakers], dtype=np.int64)
        s, target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
        if not len(s) == len(target) == len(enroll_codes) == len(test_codes):
            raise InputError("trials need one score, one label and two speakers each")
        return _Trials(s, target, enroll_codes, test_codes, names, index)

    def sides(self, where: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Scores of target and non-target trials, of all or of those in ``where``."""
        inside = np.ones(len(self.scores), dtype=bool) if where is None else where
        return self.scores[inside & self.is_target], self.scores[inside & ~self.is_target]

    def inside(self, cohort_index: Integers, cohort: int) -> NDArray[np.bool_]:
        """Trials whose speakers are both in a cohort."""
        member: NDArray[np.bool_] = cohort_index == cohort
        both: NDArray[np.bool_] = member[self.enroll] & member[self.test]
        return both

    def cohort(self, c: int, threshold: float, drawn: Floats, level: float) -> CohortEer:
        inside = self.inside(self.cohort_index, c)
        targets, others = self.sides(inside)
        n_speakers = len(np.union1d(self.enroll[inside], self.test[inside]))
        known = len(targets) > 0 and len(others) > 0
        eer = equal_error_rate(targets, others) if known else None
        return CohortEer(
            name=self.names[c],
            eer=eer,
            fnmr_at_eer=float(np.mean(targets < threshold)) if len(targets) else None,
            fmr_at_eer=float(np.mean(others >= threshold)) if len(others) else None,
            n_targets=len(targets),
            n_nontargets=len(others),
            n_speakers=n_speakers,
            # Resampling a cohort without errors gives no errors: that is no certainty.
            interval=percentile_interval(drawn[:, c], level) if n_speakers > 1 and eer else undefined_interval(level),
            status=status_of(n_speakers, (eer or 0.0) * min(len(targets), len(others))),
        )

    def replicates(self, n_replicates: int, rng: np.random.Generator) -> Floats:
        """EERs (R, K + 1) of each cohort and, last, of all trials, speakers drawn inside each cohort; or NaN."""
        k = np.empty((n_replicates, len(self.cohort_index)))
        for c in range(len(self.names)):
            at = np.flatnonzero(self.cohort_index == c)
            k[:, at] = np.concatenate(list(speaker_draws(rng, len(at), n_replicates)))
        parts = [self.inside(self.cohort_index, c) for c in range(len(self.names))]
        return np.column_stack([self._weighted(part, k) for part in [*parts, np.ones(len(self.scores), dtype=bool)]])

    def _weighted(self, where: NDArray[np.bool_], multiplicities: Floats) -> Floats:
        if not all(len(side) for side in self.sides(where)):
            return np.full(len(multiplicities), np.nan)
        part = WeightedTrials(self.scores[where], self.is_target[where], self.enroll[where], self.test[where])
        return np.array([part.equal_error_rate(k) for k in multiplicities])

    def permuted(self, columns: Sequence[int], n_permutations: int, rng: np.random.Generator) -> Floats:
        """EERs (P, K) of the cohorts in ``columns`` when their speakers are dealt to them at random; or NaN."""
        at = np.flatnonzero(np.isin(self.cohort_index, columns))
        dealt, null = np.full(len(self.cohort_index), -1), np.full((n_permutations, len(columns)), np.nan)
        for row in null:
            dealt[at] = rng.permutation(self.cohort_index[at])
            for j, c in enumerate(columns):
                targets, others = self.sides(self.inside(dealt, c))
                if len(targets) and len(others):
                    row[j] = equal_error_rate(targets, others)
        return null
