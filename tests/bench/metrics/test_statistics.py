from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from speakers import spelled_out_standard_error, world

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import (
    percentile_interval,
    permuted_rates,
    quantile_of_sorted,
    replicate_rates,
    speaker_draws,
    studentized_interval,
    weighted_rates,
)
from earmark.bench.metrics.statistics import (
    bootstrap_rates,
    design_effect,
    per_speaker,
    rate_standard_error,
    speaker_bootstrap,
    speaker_mean_rate,
)

# Cohort A: a1 {1/10, 0/10}, a2 {2/20}, a3 {1/5, 1/15}; cohort B: b1 {10/20, 8/20}, b2 {2/20}, b3 {1/20}.
A = [1, 2, 2], [20, 20, 20]
B = [18, 2, 1], [40, 20, 20]


# --- sums by speaker ----------------------------------------------------------------------------------------------


def test_sums_by_speaker_ignore_the_order_of_rows() -> None:
    rows = list(zip(["b", "a", "b", "c"], [1, 2, 3, 0], [10, 20, 30, 0], strict=True))
    for order in itertools.permutations(rows):
        sums = per_speaker(*map(list, zip(*order, strict=True)))
        assert sums.speakers == ("a", "b", "c")
        assert sums.errors.tolist() == [2, 4, 0]
        assert sums.units.tolist() == [20, 40, 0]
        assert sums.n_utterances.tolist() == [1, 2, 1]


def test_bad_counts_are_refused() -> None:
    for speakers, errors, units in (
        (["a"], [1, 2], [1, 2]),
        (["a"], [-1], [1]),
        (["a"], [1], [-1]),
        (["a"], [1], [np.nan]),
    ):
        with pytest.raises(InputError):
            per_speaker(speakers, errors, units)
    with pytest.raises(InputError, match="shape"):
        rate_standard_error([1, 2], [3])


# --- rates under weights ------------------------------------------------------------------------------------------


def test_reference_values() -> None:
    assert rate_standard_error(*A) == pytest.approx(0.016667, abs=5e-7)
    assert rate_standard_error(*B) == pytest.approx(0.141041, abs=5e-7)
    assert speaker_mean_rate(*A) == pytest.approx(0.083333, abs=5e-7)
    assert speaker_mean_rate(*B) == pytest.approx(0.2)


def test_every_bootstrap_draw_of_the_reference_gap() -> None:
    draws = np.array([np.bincount(d, minlength=3) for d in itertools.product(range(3), repeat=3)], dtype=float)
    gaps = np.subtract.outer(weighted_rates(draws, *B).rates, weighted_rates(draws, *A).rates)  # (27, 27)
    assert gaps.mean() == pytest.approx(0.155556, abs=5e-7)
    assert gaps.std() == pytest.approx(0.119419, abs=5e-7)
    assert (gaps <= 1e-12).mean() == pytest.approx(0.237311, abs=5e-7)


def test_weights_are_copies_of_speakers() -> None:
    rng = np.random.default_rng(0)
    errors, units = rng.integers(0, 9, 7).astype(float), rng.integers(1, 40, 7).astype(float)
    (draws,) = speaker_draws(rng, 7, 200)
    found = weighted_rates(draws, errors, units)
    for k, rate, se in zip(draws.astype(int), found.rates, found.standard_errors, strict=True):
        e, n = np.repeat(errors, k), np.repeat(units, k)
        assert rate == pytest.approx(e.sum() / n.sum())
        assert se == pytest.approx(spelled_out_standard_error(e, n), abs=1e-9)


def test_draws_are_bounded_blocks_of_whole_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.bench.metrics.resampling._BLOCK_ENTRIES", 20)
    blocks = list(speaker_draws(np.random.default_rng(0), 7, 11))
    assert [b.shape for b in blocks] == [(2, 7)] * 5 + [(1, 7)]
    assert all((b.sum(axis=1) == 7).all() for b in blocks)


def test_no_units_and_one_speaker_are_undefined() -> None:
    assert rate_standard_error([1], [10]) is None
    assert rate_standard_error([0, 0], [0, 0]) is None
    assert speaker_mean_rate([1, 0], [0, 0]) is None
    assert np.isnan(weighted_rates(np.array([[2.0, 0.0]]), [1, 1], [0, 5]).rates[0])
    assert speaker_bootstrap([3], [10], seed=0).method == "undefined"


def test_permuted_cohorts_keep_their_sizes_and_all_errors() -> None:
    errors, units = np.arange(10.0), np.full(10, 100.0)
    found = permuted_rates(errors, units, [2, 3, 5], 300, np.random.default_rng(0))
    assert found.rates.shape == (300, 3)
    assert found.units.tolist() == [[200, 300, 500]] * 300
    assert np.allclose((found.rates * found.units).sum(axis=1), errors.sum())
    assert found.rates.mean(axis=0) == pytest.approx([0.045] * 3, abs=0.005)
    assert spelled_out_standard_error(errors[[0, 9]], units[:2]) == pytest.approx(found.standard_errors[:, 0].max())


# --- intervals ----------------------------------------------------------------------------------------------------


def test_bootstrap_spread_is_the_standard_error() -> None:
    errors, units = world(np.random.default_rng(0), 200)
    rates = bootstrap_rates(errors, units, n_replicates=4000, seed=0)
    assert rates.std() == pytest.approx(rate_standard_error(errors, units) or 0, rel=0.05)
    assert rates.mean() == pytest.approx(errors.sum() / units.sum(), rel=0.01)


def test_seed_decides() -> None:
    errors, units = world(np.random.default_rng(0), 20)
    assert speaker_bootstrap(errors, units, seed=1) == speaker_bootstrap(errors, units, seed=1)
    assert speaker_bootstrap(errors, units, seed=1) != speaker_bootstrap(errors, units, seed=2)


@pytest.mark.parametrize(("n_speakers", "method"), [(49, "bootstrap-t"), (50, "percentile")])
def test_method_follows_the_number_of_speakers(n_speakers: int, method: str) -> None:
    assert speaker_bootstrap(*world(np.random.default_rng(0), n_speakers), seed=0).method == method


def test_bootstrap_t_is_its_formula() -> None:
    errors, units = world(np.random.default_rng(0), 12)
    found = speaker_bootstrap(errors, units, n_replicates=500, seed=4)
    drawn = replicate_rates(errors, units, 500, np.random.default_rng(4))
    rate, se = errors.sum() / units.sum(), spelled_out_standard_error(errors, units)
    t = (np.log(drawn.rates) - math.log(rate)) / (drawn.standard_errors / drawn.rates)
    low, high = (math.log(rate) - np.quantile(t, q) * se / rate for q in (0.975, 0.025))
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_too_few_speakers_to_studentize_fall_back() -> None:
    # Of the draws of three speakers, one in nine has no spread.
    assert speaker_bootstrap([1, 2, 4], [20, 20, 20], seed=0, method="bootstrap-t").method == "percentile"


def test_no_errors_give_the_rule_of_three() -> None:
    found = speaker_bootstrap([0] * 10, [100] * 10, seed=0, zero_design_effect=2.0)
    assert (found.low, found.method) == (0.0, "rule-of-three")
    assert found.high == pytest.approx(2 * 3 / 1000, rel=0.01)


def test_design_effect_of_shared_fate() -> None:
    # Half of the speakers get every word wrong: SE^2 = W (1 - W) / S against W / (20 S), a ratio of 20 (1 - W).
    assert design_effect([20, 0] * 50, [20] * 100) == pytest.approx(20 * 0.5, rel=0.02)
    assert design_effect([2] * 10, [20] * 10) == 1.0
    assert design_effect([0, 0], [10, 10]) == 1.0


@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(0, 1))
def test_quantile_is_numpys(values: list[float], q: float) -> None:
    assert quantile_of_sorted(np.sort(values), q) == pytest.approx(float(np.quantile(values, q)), abs=1e-9)


def test_percentile_interval_keeps_infinity_and_drops_nan() -> None:
    found = percentile_interval([1.0, np.nan, 2.0, np.inf], level=0.5)
    assert (found.low, found.high) == (1.5, math.inf)
    assert percentile_interval([np.nan]).method == "undefined"


def test_studentized_interval_needs_spread() -> None:
    values, ses = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.1, 0.1])
    assert studentized_interval(0.2, 0.0, values, ses, 0.95) is None
    found = studentized_interval(0.2, 0.2, values, ses, 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.01, 0.39))  # T from -1 to 1, 2.5 % in from each end


@pytest.mark.parametrize(
    ("errors", "units"),
    [([10, 100, 60, 70], [100, 1001, 100, 100]), ([10, 10, 50, 60], [100, 101, 100, 100])],
)
def test_an_accident_of_a_tiny_sample_gives_no_absurd_bound(errors: list[int], units: list[int]) -> None:
    """A replicate of near-equal speakers has hardly any standard error, and its T would send the bound to infinity."""
    interval = speaker_bootstrap(errors, units, seed=0)
    rate = sum(errors) / sum(units)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low <= rate <= interval.high <= 20.1 * rate
