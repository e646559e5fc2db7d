"""The machinery of every bootstrap here: draws of speakers, weighted rates, intervals from replicates.

A replicate is a row of multiplicities: how often each speaker was drawn. A rate under it is a ratio of two weighted
sums, so R replicates over S speakers are one matrix product. S is the number of speakers, R that of replicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Method: TypeAlias = Literal["auto", "bootstrap-t", "percentile"]

STUDENTIZE_BELOW = 50
"""With fewer speakers than this, percentile intervals are too short and bootstrap-t is used."""
WIDEST_LOG = 3.0
"""A studentized bound on a logarithm further away than this (a factor of 20) is an accident of a tiny sample."""
_BLOCK_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; bounds are None where it is undefined (``method`` is then ``undefined``).

    A bound may be infinite where the statistic is a percentile over missing outputs.
    """

    low: float | None
    high: float | None
    level: float
    method: str


def undefined_interval(level: float) -> Interval:
    """The interval of something that can't have one, such as the rate of a single speaker."""
    return Interval(None, None, level, "undefined")


def counts(errors: ArrayLike, units: ArrayLike) -> tuple[Floats, Floats]:
    """Errors and units as two arrays of one length; raises InputError unless finite and units are not negative.

    Errors may be negative: a difference of two systems is resampled like a count.
    """
    e, n = np.asarray(errors, dtype=np.float64), np.asarray(units, dtype=np.float64)
    if e.ndim != 1 or e.shape != n.shape:
        raise InputError(f"errors have shape {e.shape} and units {n.shape}", fix="give one count of each a speaker")
    if not (np.isfinite(e).all() and np.isfinite(n).all()) or (n < 0).any():
        raise InputError("counts must be finite and units not negative")
    return e, n


def label_groups(labels: Sequence[str], n_rows: int) -> dict[str, Integers]:
    """Rows of each label, labels in order of name."""
    if len(labels) != n_rows:
        raise InputError(f"{len(labels)} labels for {n_rows} rows")
    rows: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        rows.setdefault(label, []).append(i)
    return {name: np.array(rows[name], dtype=np.int64) for name in sorted(rows)}


def speaker_draws(rng: np.random.Generator, n_speakers: int, n_replicates: int) -> Iterator[Floats]:
    """Multiplicities of a bootstrap over speakers, in blocks (b, S) of bounded size; each row sums to S."""
    rows_at_once = max(1, _BLOCK_ENTRIES // n_speakers)
    for first in range(0, n_replicates, rows_at_once):
        rows = min(rows_at_once, n_replicates - first)
        drawn = rng.integers(n_speakers, size=(rows, n_speakers))
        drawn += n_speakers * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(rows, n_speakers).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Replicates:
    """Rates of replicates, their linearized standard errors and their units; NaN where undefined."""

    rates: Floats
    standard_errors: Floats
    units: Floats


def weighted_rates(draws: Floats, errors: ArrayLike, units: ArrayLike) -> Replicates:
    """Rates (R,) under multiplicities ``draws`` (R, S) of S speakers' counts.

    W = sum k e / sum k n and SE = sqrt(S/(S-1) * sum k (e - W n)^2) / sum k n, the linearized variance of a ratio.
    """
    e, n = counts(errors, units)
    moments, center = _moments(e, n)
    return _from_moments(draws @ moments, center, np.asarray(len(e)))


def replicate_rates(errors: ArrayLike, units: ArrayLike, n_replicates: int, rng: np.random.Generator) -> Replicates:
    """Rates (R,) of ``n_replicates`` bootstrap draws over speakers."""
    e, n = counts(errors, units)
    return _joined([weighted_rates(draws, e, n) for draws in speaker_draws(rng, len(e), n_replicates)])


def permuted_rates(
    errors: ArrayLike, units: ArrayLike, sizes: Sequence[int], n_permutations: int, rng: np.random.Generator
) -> Replicates:
    """Rates (P, K) of K cohorts of the given numbers of speakers when speakers are dealt to them at random."""
    e, n = counts(errors, units)
    moments, center = _moments(e, n)
    starts = np.append(0, np.cumsum(sizes)[:-1])
    blocks, rows_at_once = [], max(1, _BLOCK_ENTRIES // len(e))
    for first in range(0, n_permutations, rows_at_once):
        rows = min(rows_at_once, n_permutations - first)
        dealt = rng.permuted(np.tile(np.arange(len(e)), (rows, 1)), axis=1)
        sums = np.stack([np.add.reduceat(column[dealt], starts, axis=1) for column in moments.T], axis=-1)
        blocks.append(_from_moments(sums, center, np.asarray(sizes)))
    return _joined(blocks)


def _joined(blocks: Sequence[Replicates]) -> Replicates:
    return Replicates(
        np.concatenate([b.rates for b in blocks]),
        np.concatenate([b.standard_errors for b in blocks]),
        np.concatenate([b.units for b in blocks]),
    )


def _moments(e: Floats, n: Floats) -> tuple[Floats, float]:
    """Columns (S, 5) whose weighted sums give a rate and its standard error, and the rate they are centered at."""
    center = float(e.sum() / n.sum()) if n.sum() else 0.0
    r = e - center * n  # residuals about the plain rate keep the expanded square free of cancellation
    return np.column_stack([e, n, r * r, r * n, n * n]), center


def _from_moments(sums: Floats, center: float, n_speakers: NDArray[np.int64]) -> Replicates:
    total_e, total_n, rr, rn, nn = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(total_n > 0, total_e / total_n, np.nan)
        shift = rates - center
        squares = rr - 2 * shift * rn + shift**2 * nn
        squares[squares <= 1e-12 * (rr + shift**2 * nn)] = 0.0  # one speaker drawn S times: exactly no spread
        return Replicates(rates, np.sqrt(n_speakers / (n_speakers - 1) * squares) / total_n, total_n)


def studentizes(method: Method, n_speakers: int) -> bool:
    """Whether ``method`` means bootstrap-t at this number of speakers."""
    return method == "bootstrap-t" or (method == "auto" and n_speakers < STUDENTIZE_BELOW)


def studentized(value: float, values: Floats, standard_errors: Floats) -> Floats:
    """T* = (value* - value) / SE* of the replicates that have one; the others are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (values - value) / standard_errors
    return t[np.isfinite(t)]


def studentized_interval(
    value: float, standard_error: float, values: Floats, standard_errors: Floats, level: float
) -> Interval | None:
    """Bootstrap-t interval, value - q_high SE to value - q_low SE.

    None where the value has no spread, or where more replicates than one tail holds have no T.
    """
    t = studentized(value, values, standard_errors)
    tail = (1 - level) / 2
    if not standard_error > 0 or len(t) < (1 - tail) * len(values):
        return None
    low, high = np.quantile(t, [tail, 1 - tail])
    return Interval(float(value - high * standard_error), float(value - low * standard_error), level, "bootstrap-t")


def reaches_no_further(interval: Interval, center: float, distance: float = WIDEST_LOG) -> bool:
    """Whether both bounds exist and lie within ``distance`` of ``center``."""
    bounds = (interval.low, interval.high)
    return all(bound is not None and abs(bound - center) <= distance for bound in bounds)


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> Interval:
    """Percentile interval of replicates; NaN ones (undefined draws) are left out, infinite ones are kept."""
    values = np.asarray(replicates, dtype=np.float64)
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return undefined_interval(level)
    tail = (1 - level) / 2
    return Interval(quantile_of_sorted(values, tail), quantile_of_sorted(values, 1 - tail), level, "percentile")


def quantile_of_sorted(values: Floats, q: float) -> float:
    """Linear interpolation at q (0 to 1) of ascending values; infinite, never NaN, where it touches +infinity."""
    place = q * (len(values) - 1)
    low = int(place)
    share = place - low
    if share < 1e-12 or values[low] == values[min(low + 1, len(values) - 1)]:
        return float(values[low])
    return float(values[low] + share * (values[low + 1] - values[low]))
