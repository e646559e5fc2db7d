"""One number on two sides, and what may be said of the difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from earmark.bench.metrics.names import Kind, metric
from earmark.bench.metrics.paired import Difference, paired_difference
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.simultaneous import holm

Verdict: TypeAlias = Literal["worse", "better", "no difference", "untested"]

N_REPLICATES = 1000
FEW = 20
"""Where fewer replicates than this reach the observed T, many more are drawn: Holm needs small p values."""
MAX_REPLICATES = 100_000
MAX_DRAWN = 100_000_000
"""Speakers times replicates that are drawn at most."""
LEAST_SHARE = {"compute": 0.01, "timing": 0.10, "memory": 0.10}
"""By kind, a change below this share of the value before is never called better or worse."""


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one pair of cells, for everybody or for a cohort; B minus A, in the metric's unit.

    ``p_value`` is that of the paired bootstrap over speakers, ``p_adjusted`` Holm's over every test of the
    comparison, ``p_matched_pairs`` that of MAPSSWE. ``noise`` is the difference that a timing must exceed.
    """

    label: str
    cells: tuple[str, str]
    metric: str
    before: float | None
    after: float | None
    scheme: str = "all"
    cohort: str = "all"
    ci_low: float | None = None
    ci_high: float | None = None
    ci_level: float | None = None
    ci_method: str | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    p_matched_pairs: float | None = None
    noise: float | None = None
    n: int | None = None
    n_unit: str | None = None
    n_speakers: int | None = None
    verdict: Verdict = "untested"
    reason: str | None = None

    @property
    def kind(self) -> Kind:
        return metric(self.metric).kind

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def relative(self) -> float | None:
        """The change as a share of A; None where that is zero or missing."""
        return self.change / self.before if self.change is not None and self.before else None

    def to_json(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in self.__slots__}
        known = metric(self.metric)
        return shown | {
            "cells": list(self.cells), "kind": self.kind, "unit": known.unit, "better": known.better,
            "change": self.change, "relative": self.relative,
        }  # fmt: skip


def tested(before: Floats, after: Floats, units: Floats, *, seed: int) -> Difference:
    """The paired difference of two rates by speaker (S,), with replicates enough to tell small p values apart."""
    found = paired_difference(before, after, units, n_replicates=N_REPLICATES, seed=seed)
    n_more = min(MAX_REPLICATES, MAX_DRAWN // max(1, len(units)))
    if found.p_value is None or found.p_value * (1 + N_REPLICATES) > FEW or n_more <= N_REPLICATES:
        return found
    return paired_difference(before, after, units, n_replicates=n_more, seed=seed)


def of_difference(found: Difference) -> dict[str, Any]:
    """The fields of a change that a paired difference fills."""
    interval = found.interval
    return {
        "before": found.before, "after": found.after, "ci_low": interval.low, "ci_high": interval.high,
        "ci_level": interval.level, "ci_method": f"paired {interval.method} over speakers", "p_value": found.p_value,
    }  # fmt: skip


def judge(changes: Iterable[Change], alpha: float) -> tuple[Change, ...]:
    """The changes with adjusted p values and verdicts.

    Holm's family are all tests; a number that is exactly the same for every speaker is no test. A change of a metric
    whose direction is "none" is neither better nor worse.
    """
    changes = list(changes)
    in_family = [place for place, change in enumerate(changes) if change.p_value is not None]
    adjusted = holm([changes[place].p_value or 0.0 for place in in_family])
    for place, p in zip(in_family, adjusted, strict=True):
        changes[place] = replace(changes[place], p_adjusted=p)
    return tuple(_judged(change, alpha) for change in changes)


def _judged(change: Change, alpha: float) -> Change:
    if change.verdict != "untested" or change.change is None or change.reason is not None:
        return change
    known, amount = metric(change.metric), change.change
    least = LEAST_SHARE.get(known.kind, 0.0) * abs(change.before or 0.0)
    shown = abs(amount) > max(least, change.noise or 0.0) and _supported(change, alpha)
    if not shown or known.better == "none":
        return replace(change, verdict="no difference")
    return replace(change, verdict="worse" if (amount > 0) == (known.better == "lower") else "better")


def _supported(change: Change, alpha: float) -> bool:
    """By its test, else by its interval; a count that repeats exactly needs neither."""
    if change.p_adjusted is not None:
        return change.p_adjusted <= alpha
    if change.ci_low is not None and change.ci_high is not None:
        return not change.ci_low <= 0 <= change.ci_high
    return change.kind in ("compute", "memory")
