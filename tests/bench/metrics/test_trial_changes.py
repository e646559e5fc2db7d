"""Changes between two embedders: figures that equal_error_rate gives, and intervals that behave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from earmark.bench.api import InputError
from earmark.bench.metrics.trial_changes import trial_changes
from earmark.bench.metrics.verification import equal_error_rate

N = 30
NAMES = [f"{'ab'[i % 2]}{i:02}" for i in range(N)]
COHORTS = {name: name[0] for name in NAMES}
PAIRS = list(itertools.combinations_with_replacement(NAMES, 2))
TARGET = np.array([one == two for one, two in PAIRS])
ENROLL, TEST = [one for one, _ in PAIRS], [two for _, two in PAIRS]


def scores(seed: int, lift_b: float = 0.0) -> np.ndarray:
    """Targets lie 1.5 above others, those of b by ``lift_b`` more."""
    b = np.array([one[0] == "b" for one in ENROLL])
    return np.random.default_rng(seed).normal(0.0, 1.0, len(PAIRS)) + TARGET * (1.5 + lift_b * b)


def eer(s: np.ndarray, group: str = "") -> float:
    inside = np.array([one.startswith(group) and two.startswith(group) for one, two in PAIRS])
    return equal_error_rate(s[inside & TARGET], s[inside & ~TARGET])


def test_figures_are_those_of_the_lists() -> None:
    before, after = scores(0, -1.0), scores(1, 0.5)
    found = trial_changes(before, after, TARGET, ENROLL, TEST, COHORTS, n_replicates=20, seed=0)
    assert (found.overall.before, found.overall.after) == ((eer(before),), (eer(after),))
    for name in "ab":
        assert found.cohorts[name].value == pytest.approx(eer(after, name) - eer(before, name))
    was, now = ({g: eer(s, g) for g in "ab"} for s in (before, after))
    assert found.pair == ("b", "a")
    assert found.gap is not None
    assert found.spread is not None
    assert found.gap.before == pytest.approx((was["b"] - was["a"],))
    assert found.gap.value == pytest.approx(now["b"] - now["a"] - was["b"] + was["a"])
    assert found.spread.after == pytest.approx((abs(now["b"] - now["a"]) / 2,))
    assert found.overall.relative == pytest.approx(found.overall.value / eer(before))


def test_the_same_system_has_not_changed() -> None:
    found = trial_changes(scores(0), scores(0), TARGET, ENROLL, TEST, COHORTS, n_replicates=20, seed=0)
    assert (found.overall.value, found.overall.interval.low, found.overall.interval.high) == (0.0, 0.0, 0.0)


def test_what_is_common_to_both_sides_cancels() -> None:
    before = scores(0)
    after = before + 0.6 * TARGET
    paired = trial_changes(before, after, TARGET, ENROLL, TEST, n_replicates=200, seed=0).overall
    apart = trial_changes(before, scores(5, 0.0) + 0.6 * TARGET, TARGET, ENROLL, TEST, n_replicates=200, seed=0).overall
    width = [change.interval.high - change.interval.low for change in (paired, apart)]  # type: ignore[operator]
    assert width[0] < 0.8 * width[1]
    assert paired.interval.high is not None
    assert paired.interval.high < 0


def test_several_seeds_stand_beside_each_other_and_widen_the_interval() -> None:
    steady = [scores(0)] * 3, [scores(0) + 0.6 * TARGET] * 3
    moody = steady[0], [scores(0) + lift * TARGET for lift in (0.0, 0.6, 1.2)]
    found = [trial_changes(*sides, TARGET, ENROLL, TEST, n_replicates=100, seed=0).overall for sides in (steady, moody)]
    assert found[1].after == pytest.approx([eer(row) for row in moody[1]])
    assert found[1].value == pytest.approx(np.mean(found[1].after) - np.mean(found[1].before))
    width = [change.interval.high - change.interval.low for change in found]  # type: ignore[operator]
    assert width[1] > 1.2 * width[0]


def test_without_cohorts_there_is_no_gap_and_one_that_has_no_trials_is_left_out() -> None:
    assert trial_changes(scores(0), scores(1), TARGET, ENROLL, TEST, n_replicates=2, seed=0).gap is None
    alone = {**COHORTS, NAMES[0]: "c"}
    found = trial_changes(scores(0), scores(1), TARGET, ENROLL, TEST, alone, n_replicates=2, seed=0)
    assert set(found.cohorts) == {"a", "b"}


def test_sides_of_different_shape_are_refused() -> None:
    with pytest.raises(InputError, match="before and"):
        trial_changes(scores(0), [scores(0), scores(1)], TARGET, ENROLL, TEST, seed=0)


@pytest.mark.parametrize(("lift_a", "lift_b", "leveled"), [(-1.5, 0.1, True), (0.1, 1.5, False), (-1.5, -2.5, False)])
def test_a_gap_that_closes_from_above_was_leveled_down(lift_a: float, lift_b: float, leveled: bool) -> None:
    """Before, b is worst; by its own rise, by the fall of a, or not at all does the gap close."""
    b = np.array([one[0] == "b" for one in ENROLL])
    before = scores(0, -1.0)
    after = before + TARGET * np.where(b, lift_b, lift_a)
    found = trial_changes(before, after, TARGET, ENROLL, TEST, COHORTS, n_replicates=2, seed=0)
    assert found.pair == ("b", "a")
    assert found.gap is not None
    assert (found.gap.value < 0) is (lift_b != -2.5)
    assert found.leveled_down is leveled
