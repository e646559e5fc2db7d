"""The ledger of a repair: what changed for everybody, for each cohort, and for the gap between two of them.

A gap also shrinks when those who were served best are served worse; the ledger says how much of it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.paired import Difference, Systems, apart, by_percentiles, by_t, paired_difference
from earmark.bench.metrics.resampling import Floats, label_groups, studentizes


@dataclass(frozen=True, slots=True)
class PairedCohorts:
    """What changed for everybody, for each cohort by name, and for the gap between a bottom and a top cohort.

    ``gap_rel`` is None where the top cohort of a seed makes no errors.
    """

    overall: Difference
    cohorts: Mapping[str, Difference]
    bottom: str
    top: str
    gap_abs: Difference
    gap_rel: Difference | None

    @property
    def top_share(self) -> float | None:
        """The share of a shrinking gap that comes from the top cohort's getting worse; None where it didn't shrink.

        0: the bottom caught up by itself; 1: it stayed where it was and the top fell back; negative: both got better.
        """
        shrunk = -self.gap_abs.value
        return self.cohorts[self.top].value / shrunk if shrunk > 0 else None

    @property
    def leveled_down(self) -> bool:
        """Whether the gap shrank mostly because the top cohort got worse."""
        return (self.top_share or 0.0) > 0.5


def paired_cohorts(
    before_errors: ArrayLike,
    after_errors: ArrayLike,
    units: ArrayLike,
    labels: Sequence[str],
    *,
    pair: tuple[str, str],
    paired_seeds: bool = True,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
) -> PairedCohorts:
    """:func:`paired_difference` for everybody, inside each cohort and for the gap of ``pair``, (bottom, top).

    ``labels`` (S,) are the speakers' cohorts. The pair is the same on both sides and must be fixed before these
    speakers are looked at. Speakers are drawn inside each cohort, the same on both sides, and a draw of seeds is the
    same in both cohorts. The absolute gap of one checkpoint a side is judged by T, as rates are; relative gaps, and
    gaps over several seeds, by percentiles.
    """
    systems = Systems.read(before_errors, after_errors, units, paired_seeds)
    groups = label_groups(labels, len(systems.units))
    for name in pair:
        if name not in groups:
            raise InputError(f"no speaker is in cohort {name!r} of the pair", fix=f"cohorts: {', '.join(groups)}")

    def difference(part: Systems) -> Difference:
        return paired_difference(
            part.before, part.after, part.units, paired_seeds=paired_seeds, n_replicates=n_replicates, seed=seed,
            level=level,
        )  # fmt: skip

    bottom, top = (systems.at(groups[name]) for name in pair)
    cohorts = {name: difference(systems.at(at)) for name, at in groups.items()}
    gaps = _gaps(bottom, top, n_replicates, seed, level)
    return PairedCohorts(difference(systems), MappingProxyType(cohorts), *pair, *gaps)


def _gaps(
    bottom: Systems, top: Systems, n_replicates: int, seed: int, level: float
) -> tuple[Difference, Difference | None]:
    """What changed of the absolute and of the relative gap."""
    drawn_b, drawn_t = (
        # the generator of seeds starts anew for the second cohort, so both get the same draw of seeds
        part.replicates(n_replicates, np.random.default_rng([seed, 2 + number]), np.random.default_rng([seed, 1]))
        for number, part in enumerate((bottom, top))
    )

    def judged(gap: Callable[[Floats, Floats], Floats]) -> Difference:
        before, after = (float(gap(b.mean(), t.mean())) for b, t in zip(bottom.rates(), top.rates(), strict=True))
        by_seed = _of_sides(gap, bottom.rates(), top.rates())
        return by_percentiles(bottom, (before, after), by_seed, _of_sides(gap, drawn_b, drawn_t), level)

    relative = judged(_relative) if all(side.all() for side in top.rates()) else None
    if bottom.one_checkpoint:
        return _absolute_by_t(bottom, top, n_replicates, seed, level), relative
    return judged(np.subtract), relative


def _of_sides(
    gap: Callable[[Floats, Floats], Floats], bottom: tuple[Floats, Floats], top: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    before, after = (gap(b, t) for b, t in zip(bottom, top, strict=True))
    return before, after


def _relative(bottom: Floats, top: Floats) -> Floats:
    """The relative gap; NaN where the top makes no errors."""
    return (bottom - top) / np.where(top > 0, top, np.nan)


def _absolute_by_t(bottom: Systems, top: Systems, n_replicates: int, seed: int, level: float) -> Difference:
    before, after = (float(b[0] - t[0]) for b, t in zip(bottom.rates(), top.rates(), strict=True))
    se = None
    if bottom.standard_error is not None and top.standard_error is not None:
        se = float(np.hypot(bottom.standard_error, top.standard_error))
    b, t = (
        part.change(n_replicates, np.random.default_rng([seed, 4 + number]))
        for number, part in enumerate((bottom, top))
    )
    studentize = studentizes("auto", min(len(bottom.units), len(top.units)))
    return by_t(before, after, after - before, se, apart(t, b), level, studentize=studentize)
