"""What cohort finders ask of a division of speakers: how much it gains, and whether chance explains it.

S is the number of speakers, R that of divisions compared; errors and words are summed by speaker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from earmark.bench.metrics.resampling import Floats, Integers, weighted_rates

CRITERIA = ("abs_diff", "sse", "poisson")
Bools: TypeAlias = NDArray[np.bool_]
_BLOCK_ENTRIES = 2_000_000


def gain(criterion: str, errors_low: Floats, words_low: Floats, errors: float, words: float) -> Floats:
    """What each cut (c,) gains that leaves these errors and words on its low side, out of ``errors`` and ``words``.

    ``abs_diff``: the difference of the two rates. ``sse``: the drop in the word-weighted sum of squares of the rate.
    ``poisson``: the drop in deviance, 2 sum E ln(W / W_all) over both sides. Both sides must have words.
    """
    errors_high, words_high = errors - errors_low, words - words_low
    if criterion == "abs_diff":
        return np.asarray(np.abs(errors_low / words_low - errors_high / words_high))
    if criterion == "sse":
        return np.asarray(errors_low**2 / words_low + errors_high**2 / words_high - errors**2 / words)
    sides = xlogy(errors_low, errors_low / words_low) + xlogy(errors_high, errors_high / words_high)
    return np.asarray(2.0 * (sides - xlogy(errors, errors / words)))


def deals(n: int, n_deals: int, rng: np.random.Generator) -> Iterator[Integers]:
    """Random orders of n speakers (b, n), ``n_deals`` in all, in blocks of bounded size."""
    rows_at_once = max(1, _BLOCK_ENTRIES // max(n, 1))
    for start in range(0, n_deals, rows_at_once):
        rows = min(rows_at_once, n_deals - start)
        yield rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)


def contrasts(members: Bools, errors: Floats, words: Floats) -> Floats:
    """Studentized difference (R,) between the rate of ``members`` (R, S) and that of the others.

    (W_in - W_out) / sqrt(SE_in^2 + SE_out^2) with the linearized standard errors of ratios. Infinite where the rates
    differ and nothing varies within the sides; minus infinity where either side has no words, or nothing differs.
    """
    inside = weighted_rates(members.astype(np.float64), errors, words)
    outside = weighted_rates((~members).astype(np.float64), errors, words)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (inside.rates - outside.rates) / np.hypot(inside.standard_errors, outside.standard_errors)
    return np.where(np.isnan(t), -np.inf, t)


def largest_by_chance(
    members: Bools, errors: Floats, words: Floats, *, n_deals: int, rng: np.random.Generator
) -> Floats:
    """The largest contrast (n_deals,) of K cohorts (K, S) when the outcomes are dealt to the speakers at random."""
    found = [
        np.max([contrasts(cohort[order], errors, words) for cohort in members], axis=0)
        for order in deals(len(errors), n_deals, rng)
    ]
    return np.concatenate(found)


def p_value(observed: float, by_chance: Floats) -> float:
    """Share of deals that reach what was observed, counting the observed one itself."""
    return float((1 + np.sum(by_chance >= observed)) / (1 + len(by_chance)))
