"""False matches of impostors by the cohorts of the two speakers, at one threshold set on everybody.

A cohort's FMR is of pairs inside it. Impostors from another cohort are easier to tell, as a rule; where they are not,
two cohorts are mistaken for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.speaker_pairs import Rate, SpeakerPairs


@dataclass(frozen=True, slots=True)
class Between:
    """False matches between the speakers of two cohorts; ``n_speakers`` are of the smaller of the two."""

    one: str
    two: str
    n_speakers: int
    fmr: Rate


def false_matches_between(
    trials: CohortTrials, threshold: float, *, n_replicates: int = 500, seed: int, level: float = 0.95
) -> Iterator[Between]:
    """Every two cohorts with trials between them, in order of name, with a joint bootstrap of speakers.

    ``ok`` from ten speakers of either cohort and thirty false matches.
    """
    pairs = SpeakerPairs.of(trials, threshold)
    draws = trials.draws(n_replicates, np.random.default_rng(seed))
    for one, two in combinations(range(len(trials.names)), 2):
        where = pairs.between(trials.cohort_index, one, two)
        if not where.any():
            continue
        crossing = np.concatenate([pairs.enroll[where], pairs.test[where]])
        n_speakers = min(np.unique(crossing[trials.cohort_index[crossing] == c]).size for c in (one, two))
        errors, n = int(pairs.errors[where].sum()), int(pairs.trials[where].sum())
        drawn = pairs.rates(draws, where)[:, 1]
        yield Between(trials.names[one], trials.names[two], n_speakers, Rate.of(errors, n, n_speakers, drawn, level))


def false_match_matrix(trials: CohortTrials, threshold: float) -> tuple[Floats, Floats]:
    """False matches and non-target trials (K, K) by the cohorts of the two speakers, symmetric, at one threshold.

    Off the diagonal are impostors from another cohort, who are left out of every cohort's FMR.
    """
    k = len(trials.names)
    others = ~trials.is_target
    sides = (trials.cohort_index[side[others]] for side in (trials.enroll, trials.test))
    place = np.ravel_multi_index(tuple(np.sort(np.stack(list(sides)), axis=0)), (k, k))
    wrong = (trials.scores[others] >= threshold).astype(np.float64)
    errors, counts = np.bincount(place, wrong, k * k).reshape(k, k), np.bincount(place, minlength=k * k).reshape(k, k)
    return np.maximum(errors, errors.T), np.maximum(counts, counts.T).astype(np.float64)
