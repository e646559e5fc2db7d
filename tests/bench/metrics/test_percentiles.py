from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.latency import percentile
from earmark.bench.metrics.percentiles import _Pool, cohort_percentiles, percentile_bootstrap
from earmark.bench.metrics.resampling import percentile_interval, speaker_draws


def delays(means: list[float], n_each: int, n_words: int = 60, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Delays in ms of cohorts of speakers, exponential about speakers' own means."""
    rng = np.random.default_rng(seed)
    own = np.repeat(means, n_each) * np.exp(rng.normal(-0.02, 0.2, n_each * len(means)))
    speakers = [f"c{i // n_each}-{i:03}" for i in range(len(own)) for _ in range(n_words)]
    return rng.exponential(np.repeat(own, n_words)), speakers


def cohort_of(speakers: list[str]) -> dict[str, str]:
    return {speaker: speaker.split("-")[0] for speaker in speakers}


# --- one percentile -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([1.0, 2.0, 3.5, 7.0, math.inf])), min_size=1),
    st.sampled_from([0, 5, 50, 90, 95, 100]),
)
def test_draws_are_percentiles_of_repeated_values(rows: list[tuple[str, float]], q: float) -> None:
    names, values = [name for name, _ in rows], np.array([value for _, value in rows])
    pool = _Pool.read(values, names)
    found = pool.bootstrap(q, 20, np.random.default_rng(1))
    (draws,) = speaker_draws(np.random.default_rng(1), pool.n_groups, 20)
    place = np.array([sorted(set(names)).index(name) for name in names])
    for k, value in zip(draws.astype(int), found, strict=True):
        assert value == percentile(np.repeat(values, k[place]), q)


def test_deals_are_percentiles_of_cohorts() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in rng.integers(7, size=60)]
    pool = _Pool.read(rng.normal(size=60), names)
    found = pool.dealt(90, [3, 4], 40, np.random.default_rng(2))
    dealt = np.random.default_rng(2).permuted(np.tile(np.repeat([0, 1], [3, 4]), (40, 1)), axis=1)
    for row, (a, b) in zip(dealt, found, strict=True):
        assert a == percentile(pool.values[row[pool.groups] == 0], 90)
        assert b == percentile(pool.values[row[pool.groups] == 1], 90)


def test_bootstrap_of_a_percentile_draws_groups_whole() -> None:
    # Two groups, each of one value: the median of a draw is 1, 1.5 or 2, with chances 1/4, 1/2, 1/4.
    found = percentile_bootstrap([1.0] * 9 + [2.0] * 9, ["a"] * 9 + ["b"] * 9, 50, level=0.4, seed=0)
    assert (found.low, found.high) == (1.5, 1.5)
    wide = percentile_bootstrap([1.0] * 9 + [2.0] * 9, ["a"] * 9 + ["b"] * 9, 50, seed=0)
    assert (wide.low, wide.high, wide.method) == (1.0, 2.0, "percentile")


def test_missing_outputs_stay_in_the_interval() -> None:
    values, recordings = [100.0, 110.0, math.inf, 120.0], ["a", "a", "b", "c"]
    found = percentile_bootstrap(values, recordings, 50, n_replicates=200, seed=0)
    assert found.low is not None
    assert 100 <= found.low <= 120
    assert found.high == math.inf
    assert percentile_bootstrap([1.0], ["a"], 50, seed=0).method == "undefined"
    with pytest.raises(InputError, match="NaN"):
        percentile_bootstrap([math.nan], ["a"], 50, seed=0)
    with pytest.raises(InputError, match="2 labels for 1"):
        percentile_bootstrap([1.0], ["a", "b"], 50, seed=0)


# --- cohorts ------------------------------------------------------------------------------------------------------


def test_cohorts_pool_the_values_of_their_speakers() -> None:
    values, speakers = delays([100, 200], 15)
    found = cohort_percentiles(values, speakers, cohort_of(speakers), 95, n_replicates=200, n_permutations=200, seed=0)
    c0, c1 = found.cohorts
    assert (c0.n_values, c0.n_speakers, c0.status) == (900, 15, "ok")
    assert c0.value == percentile(values[:900], 95)
    assert c1.value == percentile(values[900:], 95)
    assert (found.gap.bottom, found.gap.top, found.gap.n_speakers) == ("c1", "c0", 30)
    assert found.gap["gap_abs"].value == pytest.approx(c1.value - c0.value)
    assert found.gap["gap_rel"].value == pytest.approx(c1.value / c0.value - 1)
    assert found.gap["gap_ratio"].value == pytest.approx(c1.value / c0.value)
    for measure in found.gap.measures.values():
        assert measure.interval.low is not None
        assert measure.value is not None
        assert measure.interval.high is not None
        assert measure.interval.low < measure.value < measure.interval.high
        assert measure.null_q95 is not None
        assert measure.null_q95 < measure.value
    assert tuple(found.gap.named("upl_final_p95").measures) == (
        "upl_final_p95_gap_abs", "upl_final_p95_gap_rel", "upl_final_p95_gap_ratio",
    )  # fmt: skip


def test_intervals_of_cohorts_are_those_of_their_own_speakers() -> None:
    values, speakers = delays([100], 12)
    (c0,) = cohort_percentiles(values, speakers, cohort_of(speakers), 90, n_replicates=100, seed=7).cohorts
    pool = _Pool.read(values, speakers)
    assert c0.interval == percentile_interval(pool.bootstrap(90, 100, np.random.default_rng(7)))


@pytest.mark.parametrize(
    ("n_each", "n_words", "q", "status"),
    [(10, 60, 95, "ok"), (9, 600, 95, "insufficient"), (10, 59, 95, "insufficient"), (10, 6, 50, "ok"),
     (10, 59, 5, "insufficient")],
)  # fmt: skip
def test_a_percentile_needs_speakers_and_thirty_values_beyond_it(
    n_each: int, n_words: int, q: float, status: str
) -> None:
    values, speakers = delays([100, 200], n_each, n_words)
    found = cohort_percentiles(values, speakers, cohort_of(speakers), q, n_replicates=9, n_permutations=9, seed=0)
    assert (found.cohorts[0].status, found.gap.status) == (status, status)


def test_a_cohort_whose_words_never_came_is_infinitely_far() -> None:
    values, speakers = delays([100, 100], 12)
    values[720 + 600 :] = math.inf
    found = cohort_percentiles(values, speakers, cohort_of(speakers), 95, n_replicates=200, n_permutations=200, seed=0)
    assert found.cohorts[1].value == math.inf
    gap = found.gap["gap_abs"]
    assert (found.gap.bottom, gap.value, gap.interval.high) == ("c1", math.inf, math.inf)
    assert gap.null_q95 == math.inf  # dealt at random, they are as likely to be all in one cohort
    values[600:] = math.inf
    both = cohort_percentiles(values, speakers, cohort_of(speakers), 95, n_replicates=9, n_permutations=9, seed=0)
    assert both.gap["gap_abs"].value is None  # two infinite delays have no difference


def test_no_relative_gap_to_a_delay_that_is_not_above_zero() -> None:
    values, speakers = delays([100, 200], 12)
    at_c0 = np.array([s.startswith("c0") for s in speakers])
    found = cohort_percentiles(
        np.where(at_c0, -values, values), speakers, cohort_of(speakers), 95, n_replicates=9, n_permutations=9, seed=0
    )
    assert found.gap["gap_abs"].value is not None
    assert (found.gap["gap_rel"].value, found.gap["gap_ratio"].value) == (None, None)


def test_one_cohort_has_no_gap() -> None:
    values, speakers = delays([100], 12)
    gap = cohort_percentiles(values, speakers, cohort_of(speakers), 50, n_replicates=9, seed=0).gap
    assert (gap.bottom, gap.status, gap["gap_abs"].value) == (None, "insufficient", None)


@pytest.mark.slow
def test_intervals_of_p90_cover_and_equal_cohorts_stay_within_their_null() -> None:
    rng, covered, above = np.random.default_rng(0), 0, 0
    # Delays of everybody: exponential about a log-normal mean, whose p90 comes from a large sample.
    true = percentile(rng.exponential(100 * np.exp(rng.normal(-0.02, 0.2, 400_000))), 90)
    for seed in range(300):
        values, speakers = delays([100, 100], 20, 40, seed)
        found = cohort_percentiles(
            values, speakers, cohort_of(speakers), 90, n_replicates=200, n_permutations=200, seed=seed
        )
        interval, gap = found.cohorts[0].interval, found.gap["gap_abs"]
        covered += interval.low <= true <= interval.high  # type: ignore[operator]
        above += gap.value > gap.null_q95  # type: ignore[operator]
    assert covered / 300 == pytest.approx(0.92, abs=0.05)
    assert above / 300 == pytest.approx(0.05, abs=0.035)
