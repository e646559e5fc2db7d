from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.api import InputError
from earmark.bench.metrics.calibration import RIDGE, fit_calibration
from earmark.bench.metrics.verification import act_dcf, cllr, min_cllr, min_dcf


def test_scores_that_are_shifted_likelihood_ratios_are_brought_back() -> None:
    """Targets N(d/2, d), others N(-d/2, d) are their own log-likelihood ratios; hide that and find it again."""
    rng = np.random.default_rng(0)
    d = 4.0
    targets, others = rng.normal(d / 2, d**0.5, 40_000), rng.normal(-d / 2, d**0.5, 60_000)
    found = fit_calibration(targets / 20 + 0.3, others / 20 + 0.3)
    assert found.scale == pytest.approx(20, rel=0.02)
    assert found.offset == pytest.approx(-20 * 0.3, rel=0.02)
    calibrated = found(targets / 20 + 0.3), found(others / 20 + 0.3)
    assert cllr(*calibrated) - min_cllr(*calibrated) < 0.002
    assert act_dcf(*calibrated, 0.05) == pytest.approx(min_dcf(*calibrated, 0.05), rel=0.05)


def test_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    targets, others = rng.normal(0.5, 0.1, 60), rng.normal(0.2, 0.2, 900)
    scores = np.concatenate([targets, others])
    z = (scores - scores.mean()) / scores.std()
    weights = np.concatenate([np.full(60, 0.5 / 60), np.full(900, 0.5 / 900)])
    labels = np.arange(960) < 60
    peer = LogisticRegression(C=1 / RIDGE, tol=1e-12, max_iter=10_000).fit(z[:, None], labels, sample_weight=weights)
    slope, offset = float(peer.coef_[0, 0]) / scores.std(), float(peer.intercept_[0])
    found = fit_calibration(targets, others)
    assert found.scale == pytest.approx(slope, rel=1e-4)
    assert found.offset == pytest.approx(offset - slope * scores.mean(), rel=1e-4)


def test_no_other_affine_map_costs_less() -> None:
    rng = np.random.default_rng(2)
    targets, others = rng.normal(1, 1, 200), rng.normal(0, 1, 300)
    found = fit_calibration(targets, others)
    least = cllr(found(targets), found(others))
    for scale, offset in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)):
        moved = [(found.scale + scale) * side + found.offset + offset for side in (targets, others)]
        assert cllr(*moved) > least


def test_separable_scores_have_a_finite_map() -> None:
    found = fit_calibration([0.9, 0.8], [0.1, 0.2, 0.3])
    assert np.isfinite([found.scale, found.offset]).all()
    assert found.scale > 0
    assert cllr(found([0.9, 0.8]), found([0.1, 0.2, 0.3])) < 0.05


def test_the_map_of_reversed_scores_turns_them() -> None:
    assert fit_calibration([0.1, 0.2, 0.4], [0.9, 0.8, 0.3]).scale < 0


def test_equal_scores_are_refused() -> None:
    with pytest.raises(InputError, match="equal"):
        fit_calibration([0.5, 0.5], [0.5])
