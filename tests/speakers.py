"""Worlds of speakers with known error rates, for tests of cohort statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATE, N_UTTERANCES, N_WORDS = 0.1, 40, 8
"""Speakers get one word in ten wrong on average, and each says 40 utterances of 8 words."""


def rates(rng: np.random.Generator, n_speakers: int, sigma: float = 0.5) -> Floats:
    """Error rates (S,) of speakers, log-normal with a mean of 10 %."""
    return np.minimum(RATE * np.exp(rng.normal(-(sigma**2) / 2, sigma, n_speakers)), 0.9)


def heard(rng: np.random.Generator, true: Floats) -> tuple[Floats, Floats]:
    """Errors and words (S,) of speakers with these rates."""
    n = N_UTTERANCES * N_WORDS
    return rng.binomial(n, true).astype(float), np.full(len(true), float(n))


def world(rng: np.random.Generator, n_speakers: int, sigma: float = 0.5) -> tuple[Floats, Floats]:
    """Errors and words (S,) of speakers drawn at random."""
    return heard(rng, rates(rng, n_speakers, sigma))


def spelled_out_standard_error(errors: Floats, units: Floats) -> float:
    """The linearized standard error of a pooled rate, as its formula is written."""
    rate, size = errors.sum() / units.sum(), len(errors)
    return float(np.sqrt(size / (size - 1) * ((errors - rate * units) ** 2).sum()) / units.sum())
