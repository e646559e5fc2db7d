"""Verification trials with their speakers in cohorts. A cohort's trials are those whose two speakers are both in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers, speaker_draws
from earmark.bench.metrics.trial_bootstrap import WeightedTrials, speaker_codes


@dataclass(frozen=True, slots=True)
class CohortTrials:
    """Trials with speakers as indices, and speakers with cohorts as indices into ``names``.

    ``scores``, ``is_target``, ``enroll`` and ``test`` are (n,), ``cohort_index`` is (S,), speakers in order of name.
    """

    scores: Floats
    is_target: NDArray[np.bool_]
    enroll: Integers
    test: Integers
    names: tuple[str, ...]
    cohort_index: Integers
    llrs: Floats | None = None

    @staticmethod
    def read(
        scores: ArrayLike,
        is_target: ArrayLike,
        enroll: Sequence[str],
        test: Sequence[str],
        cohort_of: Mapping[str, str],
        llrs: ArrayLike | None = None,
    ) -> CohortTrials:
        """``cohort_of`` maps every speaker to a cohort; ``llrs`` are natural-log likelihood ratios of the trials."""
        speakers, enroll_codes, test_codes = speaker_codes(enroll, test)
        missing = [s for s in speakers if s not in cohort_of]
        if missing:
            raise InputError(f"{len(missing)} speakers have no cohort, e.g. {missing[0]!r}")
        names = tuple(sorted({cohort_of[s] for s in speakers}))
        index = np.array([names.index(cohort_of[s]) for s in speakers], dtype=np.int64)
        s, target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
        if not len(s) == len(target) == len(enroll_codes) == len(test_codes):
            raise InputError("trials need one score, one label and two speakers each")
        ratios = None if llrs is None else np.asarray(llrs, dtype=np.float64)
        return CohortTrials(s, target, enroll_codes, test_codes, names, index, ratios)

    def sides(self, where: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Scores of target and non-target trials, of all or of those in ``where``."""
        inside = np.ones(len(self.scores), dtype=bool) if where is None else where
        return self.scores[inside & self.is_target], self.scores[inside & ~self.is_target]

    def inside(self, cohort: int, cohort_index: Integers | None = None) -> NDArray[np.bool_]:
        """Trials whose speakers are both in a cohort (of another way of dealing speakers, if given)."""
        member: NDArray[np.bool_] = (self.cohort_index if cohort_index is None else cohort_index) == cohort
        both: NDArray[np.bool_] = member[self.enroll] & member[self.test]
        return both

    def n_speakers(self, where: NDArray[np.bool_]) -> int:
        return len(np.union1d(self.enroll[where], self.test[where]))

    def weighted(self, where: NDArray[np.bool_]) -> WeightedTrials | None:
        """Some of the trials, ready for draws of speakers; None without both kinds of them."""
        if not all(len(side) for side in self.sides(where)):
            return None
        llrs = None if self.llrs is None else self.llrs[where]
        return WeightedTrials(self.scores[where], self.is_target[where], self.enroll[where], self.test[where], llrs)

    def draws(self, n_replicates: int, rng: np.random.Generator) -> Floats:
        """Multiplicities (R, S) of speakers drawn inside each cohort."""
        k = np.empty((n_replicates, len(self.cohort_index)))
        for c in range(len(self.names)):
            at = np.flatnonzero(self.cohort_index == c)
            k[:, at] = np.concatenate(list(speaker_draws(rng, len(at), n_replicates)))
        return k

    def deals(self, cohorts: Sequence[int], n_deals: int, rng: np.random.Generator) -> Iterator[Integers]:
        """Cohort indices (S,) with the speakers of some cohorts dealt to them at random; -1 for everybody else."""
        at = np.flatnonzero(np.isin(self.cohort_index, cohorts))
        dealt = np.full(len(self.cohort_index), -1)
        for _ in range(n_deals):
            dealt[at] = rng.permutation(self.cohort_index[at])
            yield dealt.copy()
