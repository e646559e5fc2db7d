"""From scores to log-likelihood ratios: an affine map, fitted on other speakers than those it is used on.

Prior-weighted logistic regression as is usual in speaker recognition (Brümmer and du Preez, 2006): the map that
minimizes Cllr. It is fitted once for everybody; that one map serves some cohorts worse than others is a result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.verification import sorted_sides

RIDGE = 1e-4
"""Weight of the squared slope beside Cllr (in nats, scores of deviation one): keeps a slope finite where no target and
non-target overlap. Our choice."""
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """natural-log likelihood ratio = ``scale`` * score + ``offset``."""

    scale: float
    offset: float

    def __call__(self, scores: ArrayLike) -> Floats:
        return self.scale * np.asarray(scores, dtype=np.float64) + self.offset


def fit_calibration(targets: ArrayLike, nontargets: ArrayLike) -> Calibration:
    """The affine map of least Cllr, both kinds of trials weighing the same whatever their numbers.

    Newton's method on a convex function of two numbers. Raises InputError where all scores are one.
    """
    t, n = sorted_sides(targets, nontargets)
    scores = np.concatenate([t, n]).astype(np.float64)
    center, deviation = float(scores.mean()), float(scores.std())
    if not deviation:
        raise InputError("all scores are equal", fix="nothing can be calibrated")
    sign = np.concatenate([np.ones(len(t)), -np.ones(len(n))])
    weight = np.concatenate([np.full(len(t), 0.5 / len(t)), np.full(len(n), 0.5 / len(n))])
    slope, offset = _newton((scores - center) / deviation, sign, weight)
    return Calibration(slope / deviation, offset - slope * center / deviation)


def _newton(z: Floats, sign: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and offset of least weighted mean of ln(1 + e^(-sign * llr)) + RIDGE / 2 * slope^2."""
    design = np.column_stack([z, np.ones_like(z)])
    ridge = np.diag([RIDGE, 0.0])
    at = np.zeros(2)

    def loss(point: Floats) -> float:
        return float(weight @ np.logaddexp(0.0, -sign * (design @ point)) + point @ ridge @ point / 2)

    for _ in range(_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(sign * (design @ at), -500, 500)))  # probability of the other kind
        gradient = ridge @ at - design.T @ (weight * sign * wrong)
        curvature = ridge + (design.T * (weight * wrong * (1 - wrong))) @ design
        step = np.linalg.solve(curvature, gradient)
        while loss(at - step) > loss(at) and np.abs(step).max() > 1e-12:
            step = step / 2
        at = at - step
        if np.abs(step).max() < 1e-10:
            break
    return float(at[0]), float(at[1])
