"""Shares of cohorts, and weights that draw them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.models._blocks.shares import raised_shares, row_weights, smoothed_shares

SIZES = {"most": 800, "some": 150, "few": 50}
ANY_SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6), min_size=1)


def test_the_published_rule_gives_the_numbers_worked_out_by_hand() -> None:
    """800, 150 and 50: the roots of the shares are in the ratio 4 : 1.7321 : 1."""
    assert smoothed_shares(SIZES, 0.5) == pytest.approx({"most": 0.5942, "some": 0.2573, "few": 0.1485}, abs=5e-5)
    assert smoothed_shares(SIZES, 1.0) == pytest.approx(dict.fromkeys(SIZES, 1 / 3))
    assert smoothed_shares(SIZES, 0.0) == pytest.approx({"most": 0.8, "some": 0.15, "few": 0.05})


@given(ANY_SIZES, st.floats(0.0, 1.0))
def test_shares_sum_to_one_and_keep_the_order(sizes: dict[str, int], exponent: float) -> None:
    shares = smoothed_shares(sizes, exponent)
    assert sum(shares.values()) == pytest.approx(1.0)
    by_size = sorted(sizes, key=lambda name: sizes[name])
    assert all(shares[a] <= shares[b] * (1 + 1e-9) for a, b in pairwise(by_size))


def test_a_factor_raises_the_odds_of_the_target_alone() -> None:
    shares = raised_shares(SIZES, {"few"}, 4.0)
    assert shares == pytest.approx({"most": 800 / 1150, "some": 150 / 1150, "few": 200 / 1150})
    assert raised_shares(SIZES, {"few"}, 1.0) == pytest.approx(smoothed_shares(SIZES, 0.0))


@given(ANY_SIZES.filter(lambda sizes: sum(sizes.values()) < 2000), st.floats(0.0, 1.0))
def test_weights_of_a_cohort_sum_to_its_share(sizes: dict[str, int], exponent: float) -> None:
    cohorts = [name for name, size in sizes.items() for _ in range(size)]
    shares = smoothed_shares(sizes, exponent)
    weights = row_weights(cohorts, shares)
    for name in sizes:
        total = sum(weight for cohort, weight in zip(cohorts, weights, strict=True) if cohort == name)
        assert total / len(cohorts) == pytest.approx(shares[name])
