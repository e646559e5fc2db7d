"""Detection error tradeoff: P_miss over P_fa at every threshold, on normal-deviate scales (Martin et al. 1997).

There equal steps are equal in standard deviations, and normally distributed scores give straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.verification import sorted_sides


@dataclass(frozen=True, slots=True)
class DetCurve:
    """Operating points (P,), thresholds rising: P_miss rises and P_fa falls. Both lie strictly between 0 and 1."""

    thresholds: Floats
    p_miss: Floats
    p_fa: Floats


def det_curve(targets: ArrayLike, nontargets: ArrayLike, *, at_most: int = 400) -> DetCurve:
    """The operating points at distinct scores, thinned evenly along the curve as it is drawn.

    Points where nothing or everything of a kind is wrong lie infinitely far away and are left out; a system that
    tells all trials apart has an empty curve.
    """
    t, n = sorted_sides(targets, nontargets)
    thresholds = np.unique(np.concatenate([t, n])).astype(np.float64)
    p_miss = np.searchsorted(t, thresholds) / len(t)
    p_fa = 1 - np.searchsorted(n, thresholds) / len(n)
    drawn = (p_miss > 0) & (p_miss < 1) & (p_fa > 0) & (p_fa < 1)
    thresholds, p_miss, p_fa = thresholds[drawn], p_miss[drawn], p_fa[drawn]
    kept = _evenly(deviate(p_miss), deviate(p_fa), at_most)
    return DetCurve(thresholds[kept], p_miss[kept], p_fa[kept])


def deviate(p: ArrayLike) -> Floats:
    """The standard normal quantile of probabilities: where they stand on a normal-deviate scale."""
    from scipy.special import ndtri

    found: Floats = ndtri(np.asarray(p, dtype=np.float64))
    return found


def _evenly(x: Floats, y: Floats, at_most: int) -> NDArray[np.bool_]:
    """Some of the points of a curve: the first, the last, and one for each equal piece of its length between."""
    if len(x) <= at_most:
        return np.ones(len(x), dtype=bool)
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    piece = np.floor(way / way[-1] * (at_most - 2))
    kept: NDArray[np.bool_] = np.diff(piece, prepend=-1) > 0
    kept[-1] = True
    return kept
