"""Statements about many cohorts at once, and what chance alone would show.

Looking at twenty equal cohorts, four times in five some cohort lies outside its own 95 % bounds; these functions ask
for more before they name one. S is the number of speakers, R that of replicates, P that of permutations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, counts, label_groups, replicate_rates
from earmark.bench.metrics.statistics import rate_standard_error

_BLOCK_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class MaxT:
    """Cohorts against the rate of all speakers, with one critical value for all of them."""

    critical: float
    statistics: Mapping[str, float]
    level: float

    @property
    def flagged(self) -> tuple[str, ...]:
        """Cohorts whose rate differs; of worlds without any difference at most 1 - level flag one."""
        return tuple(name for name, t in self.statistics.items() if abs(t) > self.critical)

    @property
    def uncorrected(self) -> tuple[str, ...]:
        """Cohorts past the normal bound of a single comparison (1.96 at 95 %): of many cohorts some always are."""
        bound = NormalDist().inv_cdf((1 + self.level) / 2)
        return tuple(name for name, t in self.statistics.items() if abs(t) > bound)


def max_t(
    errors: ArrayLike,
    units: ArrayLike,
    labels: Sequence[str],
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
) -> MaxT:
    """Studentized max-T over cohorts of speakers, T_c = (ln W_c - ln W_all) / (SE_c / W_c).

    Speakers are drawn inside each cohort; the critical value is the ``level`` quantile, over replicates, of the
    largest ``|T_c*|``, each centered at what was observed (single-step max-T of Romano and Wolf, 2005). Give only
    cohorts of at least two speakers and one error; smaller ones raise InputError.
    """
    e, n = counts(errors, units)
    groups = label_groups(labels, len(e))
    poor = [name for name, at in groups.items() if not rate_standard_error(e[at], n[at])]
    if poor or len(groups) < 2:
        raise InputError(f"cohorts without spread: {', '.join(poor) or 'all'}", fix="leave out insufficient cohorts")
    rng = np.random.default_rng(seed)
    drawn = {name: replicate_rates(e[at], n[at], n_replicates, rng) for name, at in groups.items()}
    # The overall rate of a replicate is made of the same draws, so its uncertainty enters the critical value.
    words = sum(d.units for d in drawn.values())
    log_all = np.log(sum(d.rates * d.units for d in drawn.values()) / words)
    statistics, largest = {}, np.zeros(n_replicates)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, d in drawn.items():
            at = groups[name]
            rate, se = float(e[at].sum() / n[at].sum()), rate_standard_error(e[at], n[at]) or 0.0
            gap = math.log(rate) - math.log(e.sum() / n.sum())
            statistics[name] = gap * rate / se
            t = np.abs(np.log(d.rates) - log_all - gap) * d.rates / d.standard_errors
            largest = np.maximum(largest, np.where(np.isfinite(t), t, 0.0))
    return MaxT(float(np.quantile(largest, level)), statistics, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given: reject where one is at most alpha.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


@dataclass(frozen=True, slots=True)
class Null:
    """A statistic and its values (P,) under random deals of speakers to cohorts of the same sizes."""

    value: float
    replicates: Floats

    @property
    def q95(self) -> float:
        """What the statistic stays under in 95 % of the deals."""
        return float(np.quantile(self.replicates, 0.95))

    @property
    def p_value(self) -> float:
        """Share of deals that reach the value, itself counted among them: (1 + count) / (1 + P), one-sided."""
        return float((1 + np.sum(self.replicates >= self.value)) / (1 + len(self.replicates)))


def permutation_null(
    labels: Sequence[str],
    statistic: Callable[[NDArray[np.str_]], ArrayLike],
    *,
    n_permutations: int = 1000,
    seed: int,
) -> Null:
    """The null of any statistic of cohorts: the same labels, dealt to the speakers at random.

    ``labels`` (S,) are the speakers' cohorts. ``statistic`` takes deals (P, S), a row of labels each, and gives one
    value a row (P,); large ones should speak for a difference (take absolute values where both signs count). It is
    called with the true labels as a single row, then with blocks of deals. Speakers are dealt whole: what one speaker
    said stays together. Raises InputError where a value is missing.

    >>> errors, words = np.array([1, 2, 9, 8]), 50
    >>> def gap(dealt):
    ...     return ((dealt == "b") - 1.0 * (dealt == "a")) @ errors / (2 * words)
    >>> found = permutation_null(["a", "a", "b", "b"], gap, seed=0)
    >>> found.value, sorted(set(found.replicates.tolist()))
    (0.14, [-0.14, -0.02, 0.0, 0.02, 0.14])
    """
    true = np.asarray(labels, dtype=np.str_)
    if true.ndim != 1 or not len(true):
        raise InputError("a permutation needs the label of each speaker", fix="give one cohort a speaker")
    rng = np.random.default_rng(seed)
    rows_at_once = max(1, _BLOCK_ENTRIES // len(true))
    blocks = [_values(statistic, true[None, :])]
    for first in range(0, n_permutations, rows_at_once):
        rows = min(rows_at_once, n_permutations - first)
        order = rng.permuted(np.tile(np.arange(len(true)), (rows, 1)), axis=1)
        blocks.append(_values(statistic, true[order]))
    return Null(float(blocks[0][0]), np.concatenate(blocks[1:]) if n_permutations else np.empty(0))


def _values(statistic: Callable[[NDArray[np.str_]], ArrayLike], dealt: NDArray[np.str_]) -> Floats:
    values = np.asarray(statistic(dealt), dtype=np.float64)
    if values.shape != (len(dealt),) or np.isnan(values).any():
        raise InputError(f"a statistic of {len(dealt)} deals gave values of shape {values.shape}, or a NaN")
    return values
