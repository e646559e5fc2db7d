from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.verification import (
    act_dcf,
    as_norm,
    cllr,
    eer_threshold,
    equal_error_rate,
    equal_error_rate_hull,
    error_rates_at,
    fmr_threshold,
    min_cllr,
    min_dcf,
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
    ("targets", "nontargets", "linear", "hull", "cost", "bits"),
    [
        ([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1], 0.25, 1 / 6, 0.25, 0.344361),
        ([0.5, 0.5], [0.5, 0.5], 0.5, 0.5, 1.0, 1.0),  # tie-blind sorting gives 0 or 1
        ([0.5, 0.5, 0.5, 0.9], [0.5, 0.1, 0.1, 0.1], 0.1875, 0.1875, 0.75, 0.405639),
        ([0.0, 1.0], [2.0, 3.0], 1.0, 0.5, 1.0, 1.0),  # the hull hides a flipped sign
    ],
)
def test_reference_values(
    targets: list[float], nontargets: list[float], linear: float, hull: float, cost: float, bits: float
) -> None:
    assert equal_error_rate(targets, nontargets) == pytest.approx(linear)
    assert equal_error_rate_hull(targets, nontargets) == pytest.approx(hull)
    assert min_dcf(targets, nontargets, 0.05) == pytest.approx(cost)
    assert min_cllr(targets, nontargets) == pytest.approx(bits, abs=1e-6)


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


@given(sides, sides, st.floats(0, 1))
def test_match_threshold_is_the_first_that_accepts_so_few(
    targets: list[float], nontargets: list[float], fmr: float
) -> None:
    points = operating_points(targets, nontargets)
    assert fmr_threshold(targets, nontargets, fmr) == next(x for x, _, fa in points if fa <= fmr + 1e-9)


def test_match_threshold_counts_whole_trials() -> None:
    nontargets = list(range(300))
    assert fmr_threshold([1000], nontargets, 0.01) == 297  # 0.01 * 300 is a little less than 3 in floating point
    assert fmr_threshold([1000], nontargets, 0.0) == 1000
    assert fmr_threshold([0], nontargets, 0.0) == np.inf
    with pytest.raises(InputError, match=r"1\.5"):
        fmr_threshold([1.0], [0.0], 1.5)


@given(sides, sides)
def test_no_rising_map_has_a_smaller_cost(targets: list[float], nontargets: list[float]) -> None:
    """Any rising map costs min_cllr or more: here some lines."""
    least = min_cllr(targets, nontargets)
    assert 0 <= least <= 1 + 1e-12
    for slope, offset in itertools.product((0.0, 0.5, 3.0), (-2.0, 0.0, 1.0)):
        mapped = [[slope * x + offset for x in side] for side in (targets, nontargets)]
        assert cllr(*mapped) >= least - 1e-12


def test_cost_of_likelihood_ratios() -> None:
    assert cllr([0.0, 0.0], [0.0]) == 1.0
    assert cllr([100.0], [-100.0]) == pytest.approx(0.0, abs=1e-12)
    assert cllr([-1000.0], [1000.0]) == pytest.approx(1000 / np.log(2))  # no overflow
    # log2(1 + 1/3) and log2(1 + 1/2): odds of 3 for a target, of 1/2 for another
    assert cllr([np.log(3)], [np.log(1 / 2)]) == pytest.approx((np.log2(4 / 3) + np.log2(3 / 2)) / 2)


def test_actual_cost_is_that_at_the_threshold_of_the_prior() -> None:
    targets, nontargets = [5.0, 4.0, 2.0, -1.0], [4.7, 1.0, -3.0, -4.0]
    # ln(.99/.01) = 4.595: three targets missed, one non-target accepted
    assert act_dcf(targets, nontargets, 0.01) == pytest.approx((0.01 * 0.75 + 0.99 * 0.25) / 0.01)
    # ln(.95/.05) = 2.944: two and one
    assert act_dcf(targets, nontargets, 0.05) == pytest.approx((0.05 * 0.5 + 0.95 * 0.25) / 0.05)
    # ln(.5 * 1 / (.5 * 10)) = -2.303
    assert act_dcf(targets, nontargets, 0.5, c_miss=10) == pytest.approx((0.5 * 0.5) / 0.5)


@given(sides, sides, st.floats(0.01, 0.99))
def test_actual_cost_is_never_below_the_smallest(targets: list[float], nontargets: list[float], p: float) -> None:
    actual = act_dcf(targets, nontargets, p, calibrated=True)
    assert actual >= min_dcf(targets, nontargets, p) - 1e-12


def test_cosines_have_no_actual_cost() -> None:
    with pytest.raises(InputError, match=r"look like cosines.*calibrate them"):
        act_dcf([0.9, 0.7], [0.2, -1.0], 0.01)
    assert act_dcf([0.9, 0.7], [0.2, -1.0], 0.01, calibrated=True) == 1.0


def test_normalized_scores() -> None:
    against = [[0.5, 0.3, 0.1, -0.1], [0.4, 0.2, 0.0, -0.2]]
    assert as_norm([0.6], against, [0], [1], n_top=2) == pytest.approx([2.5])
    assert as_norm([0.6], against, [0], [1], n_top=4) == pytest.approx([2.01246], abs=1e-5)


def test_normalized_scores_by_definition() -> None:
    rng = np.random.default_rng(0)
    against, enroll, test, scores = rng.normal(size=(7, 30)), [0, 3, 6], [1, 3, 2], [0.3, 1.0, -2.0]
    top = [sorted(row)[-10:] for row in against.tolist()]
    expected = [
        sum((s - np.mean(top[u])) / np.std(top[u]) for u in pair) / 2
        for s, *pair in zip(scores, enroll, test, strict=True)
    ]
    assert as_norm(scores, against, enroll, test, n_top=10) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("against", "n_top", "message"),
    [
        ([[0.1, 0.2]], 3, "top 3"),
        ([[0.1, 0.2]], 1, "top 1"),
        ([[0.1, 0.1]], 2, "raise n_top"),
        ([[0.1, np.nan]], 2, "NaN"),
    ],
)
def test_impostors_that_can_not_normalize(against: list[list[float]], n_top: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_norm([0.5], against, [0], [0], n_top=n_top)


@given(sides, sides, st.floats(0.1, 10), st.floats(-5, 5))
def test_rates_ignore_scale_and_offset(targets: list[float], nontargets: list[float], a: float, b: float) -> None:
    moved = [[a * x + b for x in side] for side in (targets, nontargets)]
    assert equal_error_rate(*moved) == pytest.approx(equal_error_rate(targets, nontargets))


def test_single_precision_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    t, n = rng.normal(2, 1, 500).astype(np.float32), rng.normal(0, 1, 700).astype(np.float32)
    assert equal_error_rate(t, n) == equal_error_rate(t.astype(np.float64), n.astype(np.float64))
    assert min_cllr(t, n) == min_cllr(t.astype(np.float64), n.astype(np.float64))
    assert error_rates_at(0.1, t, n) == error_rates_at(0.1, t.astype(np.float64), n.astype(np.float64))


@pytest.mark.parametrize(
    ("targets", "nontargets", "message"),
    [([], [1.0], "no target trials"), ([1.0], [], "no non-target"), ([np.nan], [1.0], "NaN"), ([1.0], [np.inf], "inf")],
)
def test_bad_scores_are_refused(targets: list[float], nontargets: list[float], message: str) -> None:
    for measure in (equal_error_rate, equal_error_rate_hull, eer_threshold, cllr, min_cllr):
        with pytest.raises(InputError, match=message):
            measure(targets, nontargets)
    with pytest.raises(InputError, match=message):
        min_dcf(targets, nontargets, 0.01)


def test_bad_prior_is_refused() -> None:
    with pytest.raises(InputError, match=r"p_target 1\.0"):
        min_dcf([1.0], [0.0], 1.0)


@pytest.mark.slow  # it imports matplotlib
def test_agrees_with_an_independent_program() -> None:
    """llreval, by the authors of these measures: hull EER, minimum costs, Cllr and its minimum, scores with ties."""
    pav_rocch = pytest.importorskip("llreval.pav_rocch")
    other = pytest.importorskip("llreval.cllr")
    rng = np.random.default_rng(0)
    for digits in (0, 1, 1, 2, 5):
        targets = np.round(rng.normal(1.0, 1.0, 200), digits)
        nontargets = np.round(rng.normal(-1.0, 1.5, 700), digits)
        labels = np.concatenate([np.ones(200, int), np.zeros(700, int)])
        pav = pav_rocch.PAV(np.concatenate([targets, nontargets]), labels)
        hull = pav_rocch.ROCCH(pav)
        assert equal_error_rate_hull(targets, nontargets) == pytest.approx(hull.EER(), abs=1e-9)
        assert min_cllr(targets, nontargets) == pytest.approx(other.min_cllr(pav), abs=1e-9)
        assert cllr(targets, nontargets) == pytest.approx(other.cllr(targets, nontargets), abs=1e-9)
        p_miss, p_fa = pav.rocch()
        for p in (0.01, 0.05, 0.5):
            cost = min(p * p_miss + (1 - p) * p_fa) / min(p, 1 - p)
            assert min_dcf(targets, nontargets, p) == pytest.approx(cost, abs=1e-9)


def test_ten_million_scores_take_a_few_times_their_own_size() -> None:
    """Held at a twentieth of that, where memory is as proportional."""
    rng = np.random.default_rng(0)
    targets, nontargets = (rng.normal(m, 1, n).astype(np.float32) for m, n in ((2, 100_000), (0, 400_000)))
    tracemalloc.start()
    for measure in (equal_error_rate, eer_threshold, equal_error_rate_hull, min_cllr, cllr):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        measure(targets, nontargets)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < 6 * (targets.nbytes + nontargets.nbytes), measure.__name__
    tracemalloc.stop()
