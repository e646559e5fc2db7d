from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.verification import (
    WeightedTrials,
    eer_bootstrap,
    eer_threshold,
    equal_error_rate,
    equal_error_rate_hull,
    error_rates_at,
    min_dcf,
    speaker_codes,
)

# Few distinct values, so that ties within and across the sides are common.
sides = st.lists(st.integers(0, 8).map(lambda x: x / 4), min_size=1, max_size=12)


def operating_points(targets: list[float], nontargets: list[float]) -> list[tuple[float, float, float]]:
    """(threshold, P_miss, P_fa) at every distinct score and +infinity, straight from the definition."""
    thresholds = [*sorted({*targets, *nontargets}), np.inf]
    return [
        (x, sum(t < x for t in targets) / len(targets), sum(n >= x for n in nontargets) / len(nontargets))
        for x in thresholds
    ]


def crossing(a: tuple[float, float], b: tuple[float, float]) -> float:
    """P_miss = P_fa on the segment between two points (P_miss, P_fa), the first below and the second above."""
    below, above = a[1] - a[0], b[0] - b[1]
    return a[0] if below + above == 0 else a[0] + (b[0] - a[0]) * below / (below + above)


@pytest.mark.parametrize(
    ("targets", "nontargets", "linear", "hull", "cost"),
    [
        ([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1], 0.25, 1 / 6, 0.25),
        ([0.5, 0.5], [0.5, 0.5], 0.5, 0.5, 1.0),  # tie-blind sorting gives 0 or 1
        ([0.5, 0.5, 0.5, 0.9], [0.5, 0.1, 0.1, 0.1], 0.1875, 0.1875, 0.75),
        ([0.0, 1.0], [2.0, 3.0], 1.0, 0.5, 1.0),  # the hull hides a flipped sign
    ],
)
def test_reference_values(
    targets: list[float], nontargets: list[float], linear: float, hull: float, cost: float
) -> None:
    assert equal_error_rate(targets, nontargets) == pytest.approx(linear)
    assert equal_error_rate_hull(targets, nontargets) == pytest.approx(hull)
    assert min_dcf(targets, nontargets, 0.05) == pytest.approx(cost)


def test_detection_cost_is_normalized() -> None:
    # Unnormalized .0125 at p = .05: one target in four missed, no false alarm.
    assert min_dcf([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1], 0.05) * 0.05 == pytest.approx(0.0125)


def test_shared_threshold_shows_what_equal_rates_hide() -> None:
    a = [4, 5, 6, 7], [1, 2, 3, 4.5]
    b = [6, 7, 8, 9], [3, 4, 5, 6.5]
    assert equal_error_rate(*a) == equal_error_rate(*b) == 0.25
    assert equal_error_rate(a[0] + b[0], a[1] + b[1]) == pytest.approx(0.1875)  # below both
    assert error_rates_at(5, *a) == (0.25, 0)
    assert error_rates_at(5, *b) == (0, 0.5)


@given(sides, sides)
def test_linear_rate_is_the_definition(targets: list[float], nontargets: list[float]) -> None:
    points = operating_points(targets, nontargets)
    j = next(j for j, (_, miss, fa) in enumerate(points) if miss - fa >= 0)
    assert equal_error_rate(targets, nontargets) == pytest.approx(crossing(points[j - 1][1:], points[j][1:]))
    assert eer_threshold(targets, nontargets) == points[j][0]


@given(sides, sides)
def test_hull_is_the_lowest_segment_across_the_diagonal(targets: list[float], nontargets: list[float]) -> None:
    points = [(miss, fa) for _, miss, fa in operating_points(targets, nontargets)]
    below, above = ([p for p in points if (p[0] - p[1]) * sign >= 0] for sign in (-1, 1))
    lowest = min(crossing(a, b) for a, b in itertools.product(below, above))
    found = equal_error_rate_hull(targets, nontargets)
    assert found == pytest.approx(lowest)
    assert found <= equal_error_rate(targets, nontargets) + 1e-12


@given(sides, sides, st.floats(0.01, 0.99), st.floats(0.1, 10), st.floats(0.1, 10))
def test_detection_cost_is_the_definition(
    targets: list[float], nontargets: list[float], p: float, c_miss: float, c_fa: float
) -> None:
    costs = [c_miss * p * miss + c_fa * (1 - p) * fa for _, miss, fa in operating_points(targets, nontargets)]
    expected = min(costs) / min(c_miss * p, c_fa * (1 - p))
    assert min_dcf(targets, nontargets, p, c_miss, c_fa) == pytest.approx(expected)


@given(sides, sides, st.floats(0.1, 10), st.floats(-5, 5))
def test_rates_ignore_scale_and_offset(targets: list[float], nontargets: list[float], a: float, b: float) -> None:
    moved = [[a * x + b for x in side] for side in (targets, nontargets)]
    assert equal_error_rate(*moved) == pytest.approx(equal_error_rate(targets, nontargets))


def test_single_precision_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    t, n = rng.normal(2, 1, 500).astype(np.float32), rng.normal(0, 1, 700).astype(np.float32)
    assert equal_error_rate(t, n) == equal_error_rate(t.astype(np.float64), n.astype(np.float64))


@pytest.mark.parametrize(
    ("targets", "nontargets", "message"),
    [([], [1.0], "no target trials"), ([1.0], [], "no non-target"), ([np.nan], [1.0], "NaN"), ([1.0], [np.inf], "inf")],
)
def test_bad_scores_are_refused(targets: list[float], nontargets: list[float], message: str) -> None:
    for measure in (equal_error_rate, equal_error_rate_hull, eer_threshold):
        with pytest.raises(InputError, match=message):
            measure(targets, nontargets)
    with pytest.raises(InputError, match=message):
        min_dcf(targets, nontargets, 0.01)


def test_bad_prior_is_refused() -> None:
    with pytest.raises(InputError, match=r"p_target 1\.0"):
        min_dcf([1.0], [0.0], 1.0)


def trial_list(
    n_speakers: int = 6, n_trials: int = 80
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str], list[str]]:
    rng = np.random.default_rng(3)
    enroll, test = rng.integers(n_speakers, size=(2, n_trials))
    test[: n_trials // 2] = enroll[: n_trials // 2]
    scores = np.round(rng.normal(size=n_trials) + 1.5 * (enroll == test), 1)  # rounded: ties
    return scores, enroll == test, [f"s{i}" for i in enroll], [f"s{i}" for i in test]


def test_weights_are_copies_of_trials() -> None:
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    weighted = WeightedTrials(scores, is_target, a, b)
    for k in np.random.default_rng(0).integers(0, 4, size=(30, 6)):
        copies = np.where(is_target, k[a], k[a] * k[b])
        targets, others = (np.repeat(scores[w], copies[w]) for w in (is_target, ~is_target))
        if len(targets) and len(others):
            assert weighted.equal_error_rate(k.astype(float)) == pytest.approx(equal_error_rate(targets, others))
        else:
            assert np.isnan(weighted.equal_error_rate(k.astype(float)))


def test_equal_weights_give_the_plain_rate_exactly() -> None:
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    found = WeightedTrials(scores, is_target, a, b).equal_error_rate(np.ones(6))
    assert found == equal_error_rate(scores[is_target], scores[~is_target])


def test_bootstrap_is_seeded_and_as_wide_as_speakers_differ() -> None:
    trials = trial_list(20, 600)
    once, again, other = (eer_bootstrap(*trials, n_replicates=50, seed=s) for s in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    scores, is_target, _, _ = trials
    assert abs(once.mean() - equal_error_rate(scores[is_target], scores[~is_target])) < 2 * once.std()
    assert 0 < once.std() < 0.1


def test_bootstrap_refuses_labels_that_contradict_the_speakers() -> None:
    with pytest.raises(InputError, match="contradicts"):
        eer_bootstrap([1.0, 0.0], [True, False], ["a", "a"], ["a", "a"], n_replicates=2, seed=0)
    with pytest.raises(InputError, match="one score"):
        eer_bootstrap([1.0, 0.0], [True, False], ["a"], ["a"], n_replicates=2, seed=0)
