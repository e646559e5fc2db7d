from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from speakers import heard, rates, spelled_out_standard_error, world

from earmark.bench.api import InputError
from earmark.bench.metrics.paired import MIN_SEEDS, paired_difference, unpaired_difference
from earmark.bench.metrics.statistics import rate_standard_error


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


# --- seeds --------------------------------------------------------------------------------------------------------


def seeds(n_seeds: int, n_speakers: int = 40, gain: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (K, S) of a method's seeds before and after, and words (S,)."""
    rng = np.random.default_rng(n_seeds)
    true = rates(rng, n_speakers)
    before, after = (np.array([heard(rng, g * true)[0] for _ in range(n_seeds)]) for g in (1.0, gain))
    return before, after, np.full(n_speakers, 320.0)


def test_one_seed_is_one_checkpoint() -> None:
    before, after, units = seeds(1)
    assert paired_difference(before, after, units, seed=0) == paired_difference(before[0], after[0], units, seed=0)


def test_every_seed_is_shown_and_the_means_are_theirs() -> None:
    before, after, units = seeds(3)
    found = paired_difference(before, after, units, seed=0)
    assert found.before_by_seed == pytest.approx(before.sum(axis=1) / units.sum())
    assert found.after_by_seed == pytest.approx(after.sum(axis=1) / units.sum())
    assert found.value == pytest.approx(np.mean(found.after_by_seed) - np.mean(found.before_by_seed))


@pytest.mark.parametrize(("n_seeds", "has"), [(3, False), (MIN_SEEDS - 1, False), (MIN_SEEDS, True)])
def test_few_seeds_print_no_p_value(n_seeds: int, has: bool) -> None:
    found = paired_difference(*seeds(n_seeds, gain=0.5), seed=0)
    assert (found.p_value is not None) is has
    assert found.interval.high is not None
    assert found.interval.high < 0


def test_seeds_are_drawn_with_the_variance_of_their_mean() -> None:
    """Speakers all alike, seeds far apart: what is left is the variance of a mean of K seeds, s^2 / K."""
    n_seeds = 4
    change = np.array([-8.0, -2.0, 2.0, 8.0])
    before = np.full((n_seeds, 30), 40.0)
    after = before + change[:, None]
    found = paired_difference(before, after, np.full(30, 320.0), n_replicates=4000, seed=0)
    draws = [np.mean(d) for d in itertools.product(change / 320, repeat=n_seeds - 1)]  # all that can be drawn
    assert np.var(draws) == pytest.approx(np.var(change / 320, ddof=1) / n_seeds)
    assert found.standard_error == pytest.approx(np.std(draws), rel=0.05)
    # Student's t at 3 degrees of freedom is 3.18 where the normal is 1.96
    assert (found.interval.high or 0) == pytest.approx(3.182 / 1.96 * np.quantile(draws, 0.975), rel=0.1)


def test_seeds_that_have_nothing_in_common_do_not_cancel() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 12, 8)[:, None]
    before = np.full((8, 40), 40.0) + luck + rng.integers(-2, 3, (8, 40))
    after = before + rng.integers(-2, 3, (8, 40))
    units = np.full(40, 320.0)
    paired = paired_difference(before, after, units, seed=0).standard_error or 0
    apart = paired_difference(before, after, units, paired_seeds=False, seed=0).standard_error or 0
    assert apart > 5 * paired


def test_unequal_numbers_of_seeds_have_no_pairs() -> None:
    before, after, units = seeds(3)
    with pytest.raises(InputError, match="3 seeds before and 2 after"):
        paired_difference(before, after[:2], units, seed=0)
    found = paired_difference(before, after[:2], units, paired_seeds=False, seed=0)
    assert (len(found.before_by_seed), len(found.after_by_seed), found.p_value) == (3, 2, None)
    one = paired_difference(before[0], after, units, paired_seeds=False, seed=0)
    assert one.value == pytest.approx(after.sum() / (3 * units.sum()) - before[0].sum() / units.sum())


# --- other speakers -----------------------------------------------------------------------------------------------


def test_two_groups_are_compared_without_pairing_anybody() -> None:
    rng = np.random.default_rng(3)
    before, units = world(rng, 60)
    after, others = world(rng, 80)
    found = unpaired_difference(before, units, after, others, seed=0)
    errors = [rate_standard_error(before, units) or 0.0, rate_standard_error(after, others) or 0.0]
    assert found.value == pytest.approx(after.sum() / others.sum() - before.sum() / units.sum())
    assert found.standard_error == pytest.approx(math.hypot(*errors))
    assert (found.p_value or 0.0) > 0.05
    worse = unpaired_difference(before, units, 2 * after, others, seed=0)
    assert (worse.p_value or 1.0) < 0.01
    assert unpaired_difference([1], [5], [1, 2], [5, 5], seed=0).standard_error is None
    with pytest.raises(InputError, match="two groups"):
        unpaired_difference([0], [0], [1], [5], seed=0)
