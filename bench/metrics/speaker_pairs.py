"""Errors at one threshold by pair of speakers, from which rates of cohorts and their bootstrap are sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.gaps import MIN_ERRORS, MIN_SPEAKERS, Status
from earmark.bench.metrics.resampling import Floats, Interval, percentile_interval, undefined_interval


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

    @staticmethod
    def of(errors: int, trials: int, n_speakers: int, drawn: Floats, level: float) -> Rate:
        """With the interval of replicates ``drawn`` (R,); without errors it would be no certainty, so there is none."""
        known = errors and n_speakers > 1
        interval = percentile_interval(drawn, level) if known else undefined_interval(level)
        status: Status = "ok" if n_speakers >= MIN_SPEAKERS and errors >= MIN_ERRORS else "insufficient"
        return Rate(errors, trials, interval, status)


@dataclass(frozen=True, slots=True)
class SpeakerPairs:
    """Errors and trials by pair of speakers: (P,) each. ``same`` marks a speaker against themselves."""

    enroll: NDArray[np.int64]
    test: NDArray[np.int64]
    same: NDArray[np.bool_]
    errors: Floats
    trials: Floats

    @staticmethod
    def of(trials: CohortTrials, threshold: float) -> SpeakerPairs:
        wrong = np.where(trials.is_target, trials.scores < threshold, trials.scores >= threshold)
        n_speakers = len(trials.cohort_index)
        codes, place = np.unique(trials.enroll * n_speakers + trials.test, return_inverse=True)
        enroll, test = np.divmod(codes, n_speakers)
        errors, counts = (np.bincount(place, weights).astype(np.float64) for weights in (wrong, np.ones(len(wrong))))
        return SpeakerPairs(enroll, test, enroll == test, errors, counts)

    def inside(self, cohort_index: NDArray[np.int64], cohort: int) -> NDArray[np.bool_]:
        member = cohort_index == cohort
        both: NDArray[np.bool_] = member[self.enroll] & member[self.test]
        return both

    def between(self, cohort_index: NDArray[np.int64], one: int, two: int) -> NDArray[np.bool_]:
        """Pairs of a speaker of one cohort with a speaker of another."""
        a, b = cohort_index[self.enroll], cohort_index[self.test]
        crossing: NDArray[np.bool_] = ((a == one) & (b == two)) | ((a == two) & (b == one))
        return crossing

    def rates(self, multiplicities: Floats, where: NDArray[np.bool_]) -> Floats:
        """(FNMR, FMR) (R, 2) of some pairs under multiplicities (R, S) of speakers; NaN without trials."""
        k, same, other = multiplicities, where & self.same, where & ~self.same
        once, joint = k[:, self.enroll[same]], k[:, self.enroll[other]] * k[:, self.test[other]]
        with np.errstate(invalid="ignore", divide="ignore"):
            fnmr = (once @ self.errors[same]) / (once @ self.trials[same])
            fmr = (joint @ self.errors[other]) / (joint @ self.trials[other])
        return np.column_stack([fnmr, fmr])
