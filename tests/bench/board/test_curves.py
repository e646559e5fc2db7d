from __future__ import annotations

import numpy as np

from earmark.bench.board import curves
from earmark.bench.metrics.verification import equal_error_rate


def test_the_trade_off_of_two_normal_distributions_is_a_straight_line() -> None:
    """Scores N(d, 1) against N(0, 1) give deviates on y = -x - d."""
    rng = np.random.default_rng(0)
    points = np.array(curves.det(rng.normal(2.0, 1.0, 20_000), rng.normal(0.0, 1.0, 20_000)))
    inner = points[(points[:, 0] > 0.01) & (points[:, 1] > 0.01)]
    assert np.abs(inner[:, 4] + inner[:, 3] + 2.0).max() < 0.08


def test_rates_fall_and_rise_and_cross_at_the_equal_error_rate() -> None:
    rng = np.random.default_rng(1)
    targets, others = rng.normal(1.5, 1.0, 500), rng.normal(0.0, 1.0, 500)
    false, miss, threshold, *_ = np.array(curves.det(targets, others)).T
    assert (np.diff(threshold) > 0).all()
    assert (np.diff(false) <= 0).all()
    assert (np.diff(miss) >= 0).all()
    assert len(false) <= curves.MAX_POINTS
    crossing = int(np.argmax(miss >= false))
    assert miss[crossing - 1] - 0.02 <= equal_error_rate(targets, others) <= miss[crossing] + 0.02
