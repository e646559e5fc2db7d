"""What changed between two systems heard on the same speakers: before and after a repair, or system A and system B.

Both sides get the same draw of speakers, so what is common to them cancels: with 40 speakers and a relative gain of a
tenth the standard error is less than half that of two separate rates. A claim about a *method* rests on several
seeds of it, and then seeds and speakers are drawn together. K is the number of seeds, S of speakers, R of replicates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import (
    Floats,
    Integers,
    Interval,
    Method,
    Replicates,
    counts,
    percentile_interval,
    replicate_rates,
    speaker_draws,
    studentized,
    studentized_interval,
    studentizes,
    undefined_interval,
)
from earmark.bench.metrics.statistics import rate_standard_error

MIN_SEEDS = 6
"""No p value rests on fewer seeds: five of one sign have a chance of 2 / 2^5 > 0.05, six of 2 / 2^6 < 0.05."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two systems heard on the same speakers; ``value`` is after minus before.

    Over several seeds they are means over the seeds, and the figure of each seed stands beside them.
    """

    before: float
    after: float
    value: float
    standard_error: float | None
    interval: Interval
    p_value: float | None
    before_by_seed: tuple[float, ...] = ()
    after_by_seed: tuple[float, ...] = ()

    @property
    def relative(self) -> float | None:
        """The change as a share of the rate before; None where that was zero."""
        return self.value / self.before if self.before else None


def paired_difference(
    before_errors: ArrayLike,
    after_errors: ArrayLike,
    units: ArrayLike,
    *,
    paired_seeds: bool = True,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
    method: Method = "auto",
) -> Difference:
    """Change of the pooled rate, after minus before, with the same draw of speakers on both sides.

    Errors are (S,) of one checkpoint a side, or (K, S) of several seeds of a method; units are (S,).

    One checkpoint: the changes by speaker over the same units are a ratio themselves, so everything holds with
    errors = after - before. T is on the plain scale, as a difference has no logarithm. ``p_value`` is two-sided: the
    share of replicates whose ``|T*|`` reaches ``|T|``, (1 + count) / (1 + R); None where there is no spread to compare
    with.

    Several seeds: speakers and seeds are drawn together. Of K seeds K - 1 are drawn, which makes the variance of their
    mean the right one (K draws of three seeds give two thirds of it). A draw of seeds is the same on both sides
    unless ``paired_seeds`` is false, which it must be where two runs of one seed have nothing else in common. Few seeds
    tell little of how much seeds differ, so replicates are moved away from the value as far as Student's t lies
    beyond the normal distribution. The interval is that of their percentiles and ``p_value`` twice the smaller
    share of them on a side of zero; below ``MIN_SEEDS`` there is none. Simulated, such an interval covers 91 to 100 %:
    it is wide where seeds hardly differ.
    """
    systems = Systems.read(before_errors, after_errors, units, paired_seeds)
    if not systems.one_checkpoint:
        drawn = systems.replicates(n_replicates, np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1]))
        before, after = (float(side.mean()) for side in systems.rates())
        return by_percentiles(systems, (before, after), systems.rates(), drawn, level)
    changed = systems.change(n_replicates, np.random.default_rng(seed))
    before, after = (float(side[0]) for side in systems.rates())
    value = float((systems.after - systems.before).sum() / systems.units.sum())
    studentize = studentizes(method, len(systems.units))
    return by_t(before, after, value, systems.standard_error, changed, level, studentize=studentize)


def unpaired_difference(
    before_errors: ArrayLike,
    before_units: ArrayLike,
    after_errors: ArrayLike,
    after_units: ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
    method: Method = "auto",
) -> Difference:
    """Difference of the pooled rates of two groups of speakers who have nothing in common, after minus before.

    Counts are (S,) of the one group and (S',) of the other. Each is resampled by itself; T = change / SE with
    SE^2 the sum of both squares, and ``p_value`` as of :func:`paired_difference`.
    """
    sides = [counts(before_errors, before_units), counts(after_errors, after_units)]
    if not all(units.sum() for _, units in sides):
        raise InputError("no reference words to compare two groups on")
    before, after = (float(errors.sum() / units.sum()) for errors, units in sides)
    errors_of = [error for side in sides if (error := rate_standard_error(*side)) is not None]
    se = math.hypot(*errors_of) if len(errors_of) == 2 else None
    drawn = [replicate_rates(*side, n_replicates, np.random.default_rng([seed, k])) for k, side in enumerate(sides)]
    studentize = studentizes(method, min(len(units) for _, units in sides))
    return by_t(before, after, after - before, se, apart(*drawn), level, studentize=studentize)


def apart(before: Replicates, after: Replicates) -> Replicates:
    """Replicates of the difference of two rates that were resampled independently."""
    errors = np.hypot(before.standard_errors, after.standard_errors)
    return Replicates(after.rates - before.rates, errors, before.units + after.units)


@dataclass(frozen=True, slots=True)
class Systems:
    """Errors (K, S) of the seeds of two systems over the units (S,) of the same speakers."""

    before: Floats
    after: Floats
    units: Floats
    paired_seeds: bool

    @classmethod
    def read(cls, before: ArrayLike, after: ArrayLike, units: ArrayLike, paired_seeds: bool) -> Systems:
        """The systems of errors (S,) or (K, S); raises InputError unless they fit the units and each other."""
        b, a = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (before, after))
        n = np.asarray(units, dtype=np.float64)
        for row in (*b, *a):
            counts(row, n)
        if not n.sum():
            raise InputError("no reference words to compare two systems on")
        if paired_seeds and len(b) != len(a):
            raise InputError(f"{len(b)} seeds before and {len(a)} after", fix="pair them, or give paired_seeds=False")
        return cls(b, a, n, paired_seeds)

    @property
    def one_checkpoint(self) -> bool:
        """Whether one checkpoint is compared with one other."""
        return len(self.before) == len(self.after) == 1

    @property
    def has_p_value(self) -> bool:
        return self.one_checkpoint or min(len(self.before), len(self.after)) >= MIN_SEEDS

    @property
    def standard_error(self) -> float | None:
        """That of the change between two checkpoints."""
        return rate_standard_error((self.after - self.before)[0], self.units)

    def seed_variances(self, by_seed: tuple[Floats, Floats]) -> list[tuple[float, int]]:
        """Variances of means over seeds (K,) with their degrees of freedom: of the changes where seeds are paired."""
        figures = [by_seed[1] - by_seed[0]] if self.paired_seeds else by_seed
        return [(float(f.var(ddof=1)) / len(f), len(f) - 1) for f in figures if len(f) > 1]

    def at(self, speakers: Integers) -> Systems:
        """Some of the speakers."""
        return Systems(self.before[:, speakers], self.after[:, speakers], self.units[speakers], self.paired_seeds)

    def rates(self) -> tuple[Floats, Floats]:
        """Rates (K,) of the seeds of each side."""
        total = self.units.sum()
        return self.before.sum(axis=1) / total, self.after.sum(axis=1) / total

    def change(self, n_replicates: int, rng: np.random.Generator) -> Replicates:
        """Replicates of the change between two checkpoints, with their standard errors."""
        return replicate_rates((self.after - self.before)[0], self.units, n_replicates, rng)

    def replicates(
        self, n_replicates: int, speakers: np.random.Generator, seeds: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Mean rates (R,) of both sides under joint draws of speakers and seeds; NaN in a draw without units."""
        shares = [seed_shares(len(side), n_replicates, seeds) for side in (self.before, self.after)]
        if self.paired_seeds:
            shares[1] = shares[0]
        sums = np.concatenate(
            [
                np.column_stack([draws @ self.before.T, draws @ self.after.T, draws @ self.units])
                for draws in speaker_draws(speakers, len(self.units), n_replicates)
            ]
        )
        n = len(self.before)
        with np.errstate(divide="ignore", invalid="ignore"):
            before = (sums[:, :n] * shares[0]).sum(axis=1) / sums[:, -1]
            return before, (sums[:, n:-1] * shares[1]).sum(axis=1) / sums[:, -1]


def seed_shares(n_seeds: int, n_replicates: int, rng: np.random.Generator) -> Floats:
    """What each seed (R, K) counts in the mean of a replicate: K - 1 of K are drawn."""
    n_drawn = max(1, n_seeds - 1)
    return rng.multinomial(n_drawn, np.full(n_seeds, 1 / n_seeds), size=n_replicates) / n_drawn


def by_t(
    before: float, after: float, value: float, se: float | None, drawn: Replicates, level: float, *, studentize: bool
) -> Difference:
    """A difference of two checkpoints, judged by T* = (value* - value) / SE*; ``drawn`` are its replicates."""
    found = Difference(before, after, value, se, undefined_interval(level), None)
    if se is None:
        return found
    interval = percentile_interval(drawn.rates, level)
    if studentize:
        interval = studentized_interval(value, se, drawn.rates, drawn.standard_errors, level) or interval
    if not se:
        return replace(found, interval=interval)
    t = np.abs(studentized(value, drawn.rates, drawn.standard_errors))
    return replace(found, interval=interval, p_value=float((1 + np.sum(t >= abs(value) / se)) / (1 + len(t))))


def by_percentiles(
    systems: Systems,
    sides: tuple[float, float],
    by_seed: tuple[Floats, Floats],
    drawn: tuple[Floats, Floats],
    level: float,
) -> Difference:
    """A difference judged by its replicates alone, whose standard deviation is its standard error.

    ``sides`` are before and after, ``by_seed`` (K,) the figures of their seeds, ``drawn`` (R,) replicates of the
    sides, of which undefined ones are left out.
    """
    before, after = sides
    shown = ((), ()) if systems.one_checkpoint else tuple(tuple(side.tolist()) for side in by_seed)
    changes = drawn[1] - drawn[0]
    changes = changes[np.isfinite(changes)]
    if len(systems.units) < 2 or not len(changes):
        return Difference(before, after, after - before, None, undefined_interval(level), None, *shown)
    se = float(changes.std())
    if not systems.one_checkpoint and se:
        widening = _widening(systems.seed_variances(by_seed), se, len(systems.units), level)
        changes = after - before + widening * (changes - (after - before))
    p_value = _two_sided(changes) if systems.has_p_value else None
    return Difference(before, after, after - before, se, percentile_interval(changes, level), p_value, *shown)


def _widening(seeds: Sequence[tuple[float, int]], se: float, n_speakers: int, level: float) -> float:
    """How much further the bound of Student's t is than the normal one, at the degrees of freedom of ``se``.

    ``seeds`` are the parts of its square that come from few seeds, with their degrees of freedom; the speakers make up
    the rest (Satterthwaite, Biometrics Bulletin 2, 1946).
    """
    from scipy.special import ndtri, stdtrit

    rest = max(0.0, se**2 - sum(variance for variance, _ in seeds))
    parts = [*seeds, (rest, n_speakers - 1)]
    total = sum(variance for variance, _ in parts)
    df = total**2 / sum(variance**2 / n for variance, n in parts)
    return float(stdtrit(df, (1 + level) / 2) / ndtri((1 + level) / 2))


def _two_sided(changes: Floats) -> float | None:
    """Twice the smaller share of changes on a side of zero, zero itself on both; None where nothing ever changes."""
    if not changes.any():
        return None
    smaller = min(np.sum(changes <= 0), np.sum(changes >= 0))
    return min(1.0, 2 * float(1 + smaller) / (1 + len(changes)))
