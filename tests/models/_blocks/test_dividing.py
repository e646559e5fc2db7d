"""Gains of divisions, and tests by dealing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from earmark.bench.metrics.statistics import rate_standard_error
from earmark.models._blocks.dividing import contrasts, deals, gain, largest_by_chance, p_value


def test_gains_by_hand() -> None:
    """30 errors in 100 words and 10 in 100: rates 0.3, 0.1, together 0.2."""
    low, words = np.array([30.0]), np.array([100.0])
    assert gain("abs_diff", low, words, 40.0, 200.0) == pytest.approx([0.2])
    assert gain("sse", low, words, 40.0, 200.0) == pytest.approx([100 * 0.1**2 + 100 * 0.1**2])
    assert gain("poisson", low, words, 40.0, 200.0) == pytest.approx([2 * (30 * math.log(1.5) + 10 * math.log(0.5))])
    assert gain("poisson", np.array([0.0]), words, 40.0, 200.0) == pytest.approx([2 * 40 * math.log(2)])


def test_contrasts_are_differences_over_their_error() -> None:
    """Against the metric's standard errors, up to S/(S-1) of all speakers instead of each side's."""
    rng = np.random.default_rng(0)
    errors, words = rng.poisson(10, 40) * 1.0, rng.integers(50, 150, 40) * 1.0
    inside = np.arange(40) < 15
    rates = [errors[s].sum() / words[s].sum() for s in (inside, ~inside)]
    scale = [40 / 39 * (s.sum() - 1) / s.sum() for s in (inside, ~inside)]
    ses = [rate_standard_error(errors[s], words[s]) or 0.0 for s in (inside, ~inside)]
    expected = (rates[0] - rates[1]) / math.sqrt(sum(c * se**2 for c, se in zip(scale, ses, strict=True)))
    assert contrasts(np.stack([inside, ~inside]), errors, words) == pytest.approx([expected, -expected])


def test_contrasts_without_words_or_spread() -> None:
    two = np.array([[True, False], [True, True], [False, True]])
    assert contrasts(two, np.array([2.0, 1.0]), np.array([9.0, 9.0])).tolist() == [math.inf, -math.inf, -math.inf]
    assert contrasts(two[:1], np.ones(2), np.full(2, 9.0)).tolist() == [-math.inf]


def test_deals_are_orders_in_blocks() -> None:
    rng = np.random.default_rng(0)
    found = np.concatenate([*deals(5, 7, rng)])
    assert found.shape == (7, 5)
    assert (np.sort(found, axis=1) == np.arange(5)).all()
    assert [len(block) for block in deals(1_000_000, 3, rng)] == [2, 1]


def test_p_values_of_a_true_null_are_uniform() -> None:
    """Outcomes that know nothing of three cohorts: p at most 0.2 in a fifth of 150 trials, to four standard errors."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(150):
        errors, words = rng.poisson(8, 30) * 1.0, np.full(30, 80.0)
        cohorts = np.stack([np.arange(30) < n for n in (5, 10, 15)])
        chance = largest_by_chance(cohorts, errors, words, n_deals=99, rng=rng)
        hits += p_value(float(contrasts(cohorts, errors, words).max()), chance) <= 0.2
    assert hits / 150 == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / 150))
    assert p_value(5.0, np.arange(9.0)) == 0.5
