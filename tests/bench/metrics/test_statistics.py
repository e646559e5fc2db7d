from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.latency import percentile
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
    holm,
    max_t,
    paired_difference,
    per_speaker,
    rate_standard_error,
    recording_bootstrap,
    speaker_bootstrap,
    speaker_mean_rate,
)

# Cohort A: a1 {1/10, 0/10}, a2 {2/20}, a3 {1/5, 1/15}; cohort B: b1 {10/20, 8/20}, b2 {2/20}, b3 {1/20}.
A = [1, 2, 2], [20, 20, 20]
B = [18, 2, 1], [40, 20, 20]


def world(rng: np.random.Generator, n_speakers: int, sigma: float = 0.5) -> tuple[NDArray[np.float64], ...]:
    """Errors in 320 words a speaker, 10 % on average, with a log-normal speaker effect."""
    rates = np.minimum(0.1 * np.exp(rng.normal(-(sigma**2) / 2, sigma, n_speakers)), 0.9)
    return rng.binomial(320, rates).astype(float), np.full(n_speakers, 320.0)


def spelled_out_standard_error(errors: NDArray[np.float64], units: NDArray[np.float64]) -> float:
    rate, size = errors.sum() / units.sum(), len(errors)
    return float(np.sqrt(size / (size - 1) * ((errors - rate * units) ** 2).sum()) / units.sum())


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


@pytest.mark.slow
def test_intervals_cover() -> None:
    # With 10 speakers bootstrap-t covers about 93 %, percentiles about 86 %; Monte Carlo error 1.3 points.
    rng, hits = np.random.default_rng(1), {"bootstrap-t": 0, "percentile": 0}
    for seed in range(600):
        errors, units = world(rng, 10)
        for method in ("bootstrap-t", "percentile"):
            found = speaker_bootstrap(errors, units, seed=seed, n_replicates=400, method=method)
            hits[method] += found.low <= 0.1 <= found.high  # type: ignore[operator]
    assert hits["bootstrap-t"] > 0.90 * 600
    assert hits["percentile"] < hits["bootstrap-t"] - 0.03 * 600


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


# --- differences --------------------------------------------------------------------------------------------------


def test_paired_difference_is_far_narrower_than_two_rates() -> None:
    rng = np.random.default_rng(0)
    before, units = world(rng, 40)
    after = rng.binomial(before.astype(int), 0.9).astype(float)  # one error in ten repaired
    found = paired_difference(before, after, units, seed=0)
    assert found.value == pytest.approx(found.after - found.before)
    assert found.relative == pytest.approx(found.value / found.before)
    assert found.standard_error == pytest.approx(spelled_out_standard_error(after - before, units))
    unpaired = math.hypot(rate_standard_error(before, units) or 0, rate_standard_error(after, units) or 0)
    assert (found.standard_error or 1) < 0.25 * unpaired
    assert found.interval.high is not None
    assert found.interval.high < 0
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_p_value_is_never_zero() -> None:
    before, units = world(np.random.default_rng(0), 60)
    assert paired_difference(before, before // 2, units, n_replicates=99, seed=0).p_value == 1 / 100


def test_no_change_is_no_difference() -> None:
    found = paired_difference([1, 2, 3], [1, 2, 3], [10, 10, 10], seed=0)
    assert (found.value, found.interval.low, found.interval.high, found.p_value) == (0, 0, 0, None)
    assert paired_difference([0, 0], [1, 0], [5, 5], seed=0).relative is None
    assert paired_difference([1], [0], [5], seed=0).interval.method == "undefined"
    with pytest.raises(InputError, match="no reference words"):
        paired_difference([0], [0], [0], seed=0)


def test_swapping_the_sides_turns_the_interval_over() -> None:
    rng = np.random.default_rng(0)
    before, units = world(rng, 60)
    after, _ = world(rng, 60)
    one, two = paired_difference(before, after, units, seed=0), paired_difference(after, before, units, seed=0)
    assert (one.interval.low, one.interval.high) == pytest.approx((-two.interval.high, -two.interval.low))  # type: ignore[operator]
    assert one.p_value == two.p_value


@pytest.mark.slow
def test_p_values_of_no_change_are_uniform() -> None:
    rng, found = np.random.default_rng(0), []
    for seed in range(400):
        (a, units), (b, _) = world(rng, 30), world(rng, 30)
        found.append(paired_difference(a, b, units, seed=seed, n_replicates=300).p_value)
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.08)


# --- many cohorts -------------------------------------------------------------------------------------------------


def test_max_t_flags_the_cohort_that_differs() -> None:
    rng = np.random.default_rng(0)
    errors, units = world(rng, 120, sigma=0.3)
    errors[:20] = np.round(2.5 * errors[:20])
    labels = [f"c{i // 20}" for i in range(120)]
    found = max_t(errors, units, labels, seed=0, n_replicates=500)
    assert found.flagged[0] == "c0"
    at, rate = slice(0, 20), errors[:20].sum() / units[:20].sum()
    expected = (math.log(rate) - math.log(errors.sum() / units.sum())) / (
        spelled_out_standard_error(errors[at], units[at]) / rate
    )
    assert found.statistics["c0"] == pytest.approx(expected)
    assert found.critical > 1.96  # more than one comparison


def test_max_t_refuses_cohorts_without_spread() -> None:
    with pytest.raises(InputError, match="quiet"):
        max_t([0, 0, 1, 2], [9, 9, 9, 9], ["quiet", "quiet", "loud", "loud"], seed=0)
    with pytest.raises(InputError, match="labels"):
        max_t([1], [2], ["a", "b"], seed=0)


@pytest.mark.slow
def test_max_t_rarely_flags_equal_cohorts() -> None:
    rng, flagged = np.random.default_rng(0), 0
    for seed in range(100):
        errors, units = world(rng, 600)
        flagged += bool(max_t(errors, units, [f"c{i % 20}" for i in range(600)], seed=seed, n_replicates=300).flagged)
    assert flagged <= 10  # 5 expected; |z| > 1.96 for each of twenty would flag in about 79


def test_holm_steps_down() -> None:
    # Holm (1979): sorted p times 4, 3, 2, 1, then made monotone and cut at 1.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# --- recordings ---------------------------------------------------------------------------------------------------


def test_recording_bootstrap_of_a_mean_is_that_of_a_ratio() -> None:
    rng = np.random.default_rng(0)
    recordings = [f"r{i % 30:02d}" for i in range(300)]
    values = rng.exponential(1, 300) + np.array([i % 30 for i in range(300)]) / 10
    found = recording_bootstrap(values, recordings, lambda v: float(np.mean(v)), n_replicates=300, seed=5)
    sums = np.bincount([i % 30 for i in range(300)], weights=values)
    expected = percentile_interval(bootstrap_rates(sums, np.full(30, 10.0), n_replicates=300, seed=5))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_recording_bootstrap_carries_missing_outputs() -> None:
    values, recordings = [100.0, 110.0, math.inf, 120.0], ["a", "a", "b", "c"]
    found = recording_bootstrap(values, recordings, lambda v: percentile(v, 50), n_replicates=200, seed=0)
    assert found.low is not None
    assert 100 <= found.low <= 120
    assert found.high == math.inf
    assert recording_bootstrap([1.0], ["a"], lambda v: float(v[0]), seed=0).method == "undefined"
    with pytest.raises(InputError, match="NaN"):
        recording_bootstrap([math.nan], ["a"], lambda v: float(v[0]), seed=0)


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
