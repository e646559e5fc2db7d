"""The binary partition of areas by an attribute, and whether other speakers bear it out. S counts speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earmark.bench.metrics.resampling import Floats, Integers
from earmark.models._blocks.dividing import Bools, contrasts, deals, gain, p_value

BOTTOM, OTHERS, UNKNOWN = 0, 1, 2
ENOUGH_AREAS = 10
"""From so many areas on, whole areas are dealt in the test; with fewer there are too few ways to deal them."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the area of each speaker: values (S,), NaN for none; for a category the place of its name."""

    label: str
    values: Floats
    names: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        return not self.names


@dataclass(frozen=True, slots=True)
class Floors:
    """What each side of a partition must hold on discover."""

    words: float
    speakers: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A frozen partition: ``at`` splits a number, with the bottom below it or from it on; else two sets of names."""

    label: str
    at: float | None = None
    bottom_is_low: bool = True
    bottom: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def sides(self, texts: Sequence[str]) -> Integers:
        """``BOTTOM``, ``OTHERS`` or ``UNKNOWN`` for each value as text."""
        return np.array([self._side(text) for text in texts], dtype=np.int64)

    def _side(self, text: str) -> int:
        if self.at is None:
            return BOTTOM if text in self.bottom else OTHERS if text in self.others else UNKNOWN
        try:
            value = float(text)
        except ValueError:
            return UNKNOWN
        return UNKNOWN if np.isnan(value) else BOTTOM if (value < self.at) == self.bottom_is_low else OTHERS


def partition(
    attribute: Attribute, errors: Floats, words: Floats, *, criterion: str, floors: Floors
) -> tuple[float, Rule] | None:
    """The partition that gains most, and its gain; None where no partition keeps the floors or gains anything.

    Numbers are cut between two neighboring values. Categories are put in order of their rate and cut there, which for
    two of the criteria finds the best of all subsets (Fisher, 1958).
    """
    known = np.isfinite(attribute.values)
    values, group = np.unique(attribute.values[known], return_inverse=True)
    counted = errors[known], words[known], np.ones(int(known.sum()))
    sums = [np.bincount(group, v, len(values)).astype(np.float64) for v in counted]
    order = np.arange(len(values))
    if not attribute.is_number:
        order = np.argsort(-sums[0] / np.maximum(sums[1], 1e-9), kind="stable")
    low = [np.cumsum(v[order])[:-1] for v in sums]
    high = [v.sum() - part for v, part in zip(sums, low, strict=True)]
    allowed = (np.minimum(low[1], high[1]) >= floors.words) & (np.minimum(low[2], high[2]) >= floors.speakers)
    if not allowed.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = gain(criterion, low[0], low[1], float(sums[0].sum()), float(sums[1].sum()))
    gains = np.where(allowed & np.isfinite(gains), gains, -np.inf)
    i = int(np.argmax(gains))
    if not gains[i] > 1e-12:
        return None
    if attribute.is_number:
        at = values[i] + (values[i + 1] - values[i]) / 2
        is_low = low[0][i] / low[1][i] > high[0][i] / high[1][i]
        return float(gains[i]), Rule(attribute.label, float(at if at > values[i] else values[i + 1]), bool(is_low))
    sides = (sorted(attribute.names[int(values[k])] for k in part) for part in (order[: i + 1], order[i + 1 :]))
    bottom, others = map(tuple, sides)
    return float(gains[i]), Rule(attribute.label, bottom=bottom, others=others)


def sides_of(rule: Rule, attribute: Attribute) -> Integers:
    """The side (S,) of each speaker."""
    if attribute.is_number:
        low = attribute.values < (rule.at or 0.0)
        side = np.where(low == rule.bottom_is_low, BOTTOM, OTHERS)
        return np.where(np.isfinite(attribute.values), side, UNKNOWN)
    by_name = np.append(rule.sides(attribute.names), UNKNOWN)
    return by_name[np.where(np.isfinite(attribute.values), attribute.values, len(attribute.names)).astype(np.int64)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A partition held against select speakers: the two rates, the one-sided p value, and what was dealt for it."""

    bottom_rate: float | None
    others_rate: float | None
    p_value: float | None
    dealt: str
    n_areas: int


def confirm(
    sides: Integers, areas: Integers, errors: Floats, words: Floats, *, n_deals: int, rng: np.random.Generator
) -> Verdict:
    """Whether the bottom side (S,) has the higher rate among these speakers, against the sides dealt at random.

    Whole areas (S,) are dealt where there are ``ENOUGH_AREAS``: that places differ does not make their attribute
    matter. Below that speakers are dealt. p is None where a side is empty.
    """
    known = sides != UNKNOWN
    inside, e, n = sides[known] == BOTTOM, errors[known], words[known]
    _, unit = np.unique(2 * areas[known] + inside, return_inverse=True)
    n_areas = int(unit.max()) + 1 if len(unit) else 0
    dealt = "areas" if n_areas >= ENOUGH_AREAS else "speakers"
    bottom, others = (float(e[s].sum() / n[s].sum()) if n[s].sum() else None for s in (inside, ~inside))
    if bottom is None or others is None:
        return Verdict(bottom, others, None, dealt, n_areas)
    observed = float(contrasts(inside[None], e, n)[0])
    by_chance = np.concatenate(
        [contrasts(dealt_sides, e, n) for dealt_sides in _deal(inside, unit, dealt, n_deals, rng)]
    )
    return Verdict(bottom, others, p_value(observed, by_chance), dealt, n_areas)


def _deal(inside: Bools, unit: Integers, dealt: str, n_deals: int, rng: np.random.Generator) -> list[Bools]:
    if dealt == "speakers":
        return [inside[order] for order in deals(len(inside), n_deals, rng)]
    of_unit = np.zeros(int(unit.max()) + 1, dtype=bool)
    of_unit[unit] = inside
    return [of_unit[order][:, unit] for order in deals(len(of_unit), n_deals, rng)]
