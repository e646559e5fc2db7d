"""Which cohorts stand out among all: max-T over those that are large enough to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earmark.bench.metrics.gaps import status_of
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.simultaneous import max_t


@dataclass(frozen=True, slots=True)
class Standing:
    """Cohorts whose rate differs from the overall one; ``uncorrected`` would, each looked at by itself."""

    worse: tuple[str, ...] = ()
    better: tuple[str, ...] = ()
    uncorrected: tuple[str, ...] = ()

    def of(self, cohort: str) -> str | None:
        """``worse``, ``better``, ``only_uncorrected``, or None where the cohort can't be told from all."""
        told = {"worse": self.worse, "better": self.better, "only_uncorrected": self.uncorrected}
        return next((name for name, cohorts in told.items() if cohort in cohorts), None)


def standing(errors: Floats, units: Floats, cohorts: Sequence[str], *, seed: int, n_replicates: int = 1000) -> Standing:
    """The corrected test over cohorts of speakers (S,) that have ten of them and thirty errors; none below two such.

    >>> errors, words = np.repeat([1.0, 5.0], 20) + np.tile([0.0, 1.0], 20), np.full(40, 50.0)
    >>> standing(errors, words, ["a"] * 20 + ["b"] * 20, seed=0)
    Standing(worse=('b',), better=('a',), uncorrected=('a', 'b'))
    """
    names = np.array(cohorts)
    large = [
        c for c in sorted(set(cohorts)) if status_of(int((names == c).sum()), float(errors[names == c].sum())) == "ok"
    ]
    kept = np.isin(names, large)
    if len(large) < 2 or any(np.ptp(errors[names == c] / np.maximum(units[names == c], 1e-12)) == 0 for c in large):
        return Standing()
    found = max_t(errors[kept], units[kept], names[kept].tolist(), n_replicates=n_replicates, seed=seed)
    t = found.statistics
    return Standing(
        worse=tuple(name for name in found.flagged if t[name] > 0),
        better=tuple(name for name in found.flagged if t[name] < 0),
        uncorrected=found.uncorrected,
    )
