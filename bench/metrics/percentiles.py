"""Percentiles of pooled values by cohort of speakers, and the gaps between cohorts with their nulls.

The p95 delay of a cohort is that of all its speakers' words together. Speakers are drawn (and dealt) whole with all
their values, and a value may be +infinity: an output that never came. Then a percentile, a bound or a null may be
infinite too, which is what is known about it. N is the number of values, G that of speakers, R of replicates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.gaps import (
    MIN_ERRORS,
    PAIR_GAPS,
    Gap,
    Status,
    choose,
    measured,
    no_gap,
    pair_measures,
    pair_rates,
    status_of,
)
from earmark.bench.metrics.resampling import (
    Floats,
    Integers,
    Interval,
    label_groups,
    percentile_interval,
    quantile_of_sorted,
    speaker_draws,
    undefined_interval,
)

_BLOCK_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class CohortPercentile:
    """A percentile of one cohort's values.

    ``status`` is ``ok`` from ten speakers and thirty values on the far side of the percentile: at p95 that is 600.
    """

    name: str
    value: float
    n_values: int
    n_speakers: int
    interval: Interval
    status: Status


@dataclass(frozen=True, slots=True)
class PercentileCohorts:
    """All cohorts by name, and ``gap_abs``, ``gap_rel`` and ``gap_ratio`` between the slowest and the quickest."""

    cohorts: tuple[CohortPercentile, ...]
    gap: Gap


def percentile_bootstrap(
    values: ArrayLike, groups: Sequence[str], q: float, *, n_replicates: int = 1000, seed: int, level: float = 0.95
) -> Interval:
    """Percentile interval of the q-th percentile (0 to 100) of values (N,), drawing whole speakers or recordings.

    Values may be +infinity (a missing output), never NaN; so may the bounds. Undefined below two groups.
    """
    pool = _Pool.read(values, groups)
    if pool.n_groups < 2:
        return undefined_interval(level)
    return percentile_interval(pool.bootstrap(q, n_replicates, np.random.default_rng(seed)), level)


def cohort_percentiles(
    values: ArrayLike,
    speakers: Sequence[str],
    cohort_of: Mapping[str, str],
    q: float,
    *,
    pair: tuple[str, str] | None = None,
    n_replicates: int = 1000,
    n_permutations: int = 1000,
    seed: int,
    level: float = 0.95,
) -> PercentileCohorts:
    """The q-th percentile (0 to 100) of each cohort's values (N,), and the gaps between cohorts.

    ``speakers`` (N,) say whose a value is and ``cohort_of`` puts every speaker into a cohort. Intervals are those of
    percentiles, speakers drawn inside each cohort; the null deals the compared speakers to cohorts of the same sizes.
    ``pair`` is (bottom, top) as ranked elsewhere; without one the bottom is the slowest.
    """
    names, v = np.asarray(speakers, dtype=object), np.asarray(values, dtype=np.float64)
    if len(names) != len(v):
        raise InputError(f"{len(names)} speakers for {len(v)} values")
    groups = label_groups([cohort_of[speaker] for speaker in names], len(v))
    pools = {name: _Pool.read(v[at], names[at].tolist()) for name, at in groups.items()}
    rng = np.random.default_rng(seed)
    drawn = {name: pool.bootstrap(q, n_replicates, rng) for name, pool in pools.items()}
    cohorts = tuple(_cohort(name, pool, q, drawn[name], level) for name, pool in pools.items())
    found = choose({c.name: c.value for c in cohorts}, {c.name: c.status for c in cohorts}, pair)
    if found is None:
        return PercentileCohorts(cohorts, no_gap(PAIR_GAPS, tuple(pools), level))
    at = np.concatenate([groups[name] for name in found.cohorts])
    sizes = [pools[name].n_groups for name in found.cohorts]
    null = _Pool.read(v[at], names[at].tolist()).dealt(q, sizes, n_permutations, rng)
    bottom, top = found.cohorts[found.bottom], found.cohorts[found.top]
    value = {c.name: np.array([c.value]) for c in cohorts}
    sides = ((value[bottom], value[top]), (drawn[bottom], drawn[top]), pair_rates(null, found))
    observed, replicates, nulls = (pair_measures(b, t, np.full(len(b), np.nan)) for b, t in sides)
    measures = {name: measured(float(observed[name][0]), replicates[name], nulls[name], level) for name in PAIR_GAPS}
    gap = Gap(bottom, top, found.cohorts, sum(sizes), found.status, MappingProxyType(measures))
    return PercentileCohorts(cohorts, gap)


def _cohort(name: str, pool: _Pool, q: float, drawn: Floats, level: float) -> CohortPercentile:
    beyond = len(pool.values) * min(q, 100 - q) / 100
    status = status_of(pool.n_groups, MIN_ERRORS if beyond >= MIN_ERRORS - 1e-9 else 0)
    interval = percentile_interval(drawn, level) if pool.n_groups > 1 else undefined_interval(level)
    value = quantile_of_sorted(pool.values, q / 100)
    return CohortPercentile(name, value, len(pool.values), pool.n_groups, interval, status)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Values (N,) in ascending order and the group (0 to G - 1) that each belongs to.

    To find a place among weighted values without going through all of them, they are cut into about sqrt(N) blocks:
    ``n_before`` (G, J) counts each group's values before a block, and one block is looked through.
    """

    values: Floats
    groups: Integers
    n_before: Floats
    n_each: Floats

    @classmethod
    def read(cls, values: ArrayLike, groups: Sequence[str]) -> _Pool:
        v = np.asarray(values, dtype=np.float64)
        if np.isnan(v).any():
            raise InputError("a value is NaN", fix="give a missing output as infinity")
        rows = label_groups(groups, len(v))
        place = np.empty(len(v), dtype=np.int64)
        for number, at in enumerate(rows.values()):
            place[at] = number
        order = np.argsort(v, kind="stable")
        block = np.arange(len(v)) // _block_size(len(v))
        counts = np.zeros((len(rows), 1 + int(block[-1]) if len(v) else 1))
        np.add.at(counts, (place[order], block), 1)
        n_each = counts.sum(axis=1)
        return cls(v[order], place[order], np.cumsum(counts, axis=1) - counts, n_each)

    @property
    def n_groups(self) -> int:
        return len(self.n_each)

    def bootstrap(self, q: float, n_replicates: int, rng: np.random.Generator) -> Floats:
        """The percentile (R,) under draws of groups with replacement."""
        return np.concatenate([self.weighted(q, draws) for draws in speaker_draws(rng, self.n_groups, n_replicates)])

    def dealt(self, q: float, sizes: Sequence[int], n_permutations: int, rng: np.random.Generator) -> Floats:
        """The percentile (P, K) of K cohorts of the given sizes when groups are dealt to them at random."""
        codes, found = np.repeat(np.arange(len(sizes)), sizes), []
        rows_at_once = max(1, _BLOCK_ENTRIES // len(codes))
        for first in range(0, n_permutations, rows_at_once):
            rows = min(rows_at_once, n_permutations - first)
            cohort = rng.permuted(np.tile(codes, (rows, 1)), axis=1)
            parts = [self.weighted(q, (cohort == k).astype(np.float64)) for k in range(len(sizes))]
            found.append(np.column_stack(parts))
        return np.concatenate(found)

    def weighted(self, q: float, draws: Floats) -> Floats:
        """The percentile (b,) of the values, each taken as often as its group was drawn (b, G).

        :func:`quantile_of_sorted` of the values so repeated.
        """
        n_before = draws @ self.n_before
        place = (q / 100) * (draws @ self.n_each - 1)
        low = np.floor(place)
        share = place - low
        below = self._at(draws, n_before, low)
        above = self._at(draws, n_before, np.minimum(low + 1, draws @ self.n_each - 1))
        with np.errstate(invalid="ignore"):
            between = below + share * (above - below)
        return np.where((share < 1e-12) | (below == above), below, between)

    def _at(self, draws: Floats, n_before: Floats, place: Floats) -> Floats:
        """The values (b,) at places of the repeated values, 0 the smallest; ``n_before`` (b, J) stand before blocks."""
        rows = np.arange(len(draws))
        block = (n_before <= place[:, None]).sum(axis=1) - 1
        size = _block_size(len(self.values))
        inside = block[:, None] * size + np.arange(size)  # (b, size)
        known = np.minimum(inside, len(self.values) - 1)
        counts = draws[rows[:, None], self.groups[known]]
        reached = n_before[rows, block][:, None] + np.cumsum(counts, axis=1)
        found: Floats = self.values[block * size + (reached <= place[:, None]).sum(axis=1)]
        return found


def _block_size(n_values: int) -> int:
    return max(1, math.isqrt(n_values))
