from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from earmark.bench.metrics.det import det_curve, deviate


def test_normal_scores_give_the_line_of_their_distance() -> None:
    """Scores N(d, 1) and N(0, 1): the deviates of P_miss and P_fa sum to -d at every threshold."""
    rng = np.random.default_rng(0)
    curve = det_curve(rng.normal(2, 1, 50_000), rng.normal(0, 1, 50_000))
    middle = (curve.p_fa > 0.01) & (curve.p_miss > 0.01)
    assert deviate(curve.p_miss)[middle] + deviate(curve.p_fa)[middle] == pytest.approx(-2.0, abs=0.07)
    assert len(curve.thresholds) <= 400


def test_few_points_are_all_kept() -> None:
    curve = det_curve([1, 2, 3], [0, 1.5, 2.5])
    # Thresholds 2 and 2.5: one and two of three targets missed; at 1.5 and 1 one and none of them
    assert curve.thresholds.tolist() == [1.5, 2.0, 2.5]
    assert curve.p_miss == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert curve.p_fa == pytest.approx([2 / 3, 1 / 3, 1 / 3])


def test_thinning_is_even_along_the_curve() -> None:
    rng = np.random.default_rng(1)
    whole = det_curve(rng.normal(1, 1, 3000), rng.normal(0, 1, 3000), at_most=100_000)
    rng = np.random.default_rng(1)
    thin = det_curve(rng.normal(1, 1, 3000), rng.normal(0, 1, 3000), at_most=50)
    assert len(thin.thresholds) <= 50
    assert (thin.thresholds[0], thin.thresholds[-1]) == (whole.thresholds[0], whole.thresholds[-1])
    steps = np.abs(np.diff(deviate(thin.p_miss))) + np.abs(np.diff(deviate(thin.p_fa)))
    assert steps[1:-1].max() < 4 * np.median(steps)


def test_the_deviate_is_the_normal_quantile() -> None:
    assert deviate([0.5, 0.975]).tolist() == pytest.approx([0.0, NormalDist().inv_cdf(0.975)])


def test_perfect_scores_have_an_empty_curve() -> None:
    assert len(det_curve([2.0, 3.0], [0.0, 1.0]).thresholds) == 0
