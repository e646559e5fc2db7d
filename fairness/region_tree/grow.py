"""The tree itself: cuts along one coordinate at a time, each the best of all places between two neighbors.

Each coordinate is sorted once. A cut leaves the order of its own coordinate in two slices, and the other's order is
kept by taking each side's points out of it in turn, so no node sorts again; every sum over a side is a difference of
running sums. A node of m points costs O(m). S is the number of points (speakers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from earmark.bench.metrics.resampling import Floats
from earmark.models._blocks.dividing import gain

Axis = Literal["lat", "lon"]
AXES: tuple[Axis, Axis] = ("lat", "lon")


@dataclass(frozen=True, slots=True)
class Floors:
    """What a side of a cut must hold, and how many cuts may lie above a leaf."""

    words: float
    speakers: int
    depth: int


@dataclass(frozen=True, slots=True)
class Node:
    """A region: what was counted in it and, unless it is a leaf, its cut: ``low`` is below, ``high`` from ``at`` on."""

    errors: float
    words: float
    speakers: int
    axis: Axis = "lat"
    at: float = 0.0
    low: Node | None = None
    high: Node | None = None

    @property
    def sides(self) -> tuple[Node, ...]:
        """Both sides of the cut; none of a leaf."""
        return (self.low, self.high) if self.low is not None and self.high is not None else ()

    def walk(self) -> Iterator[Node]:
        """This node and all below, each before its sides."""
        yield self
        for side in self.sides:
            yield from side.walk()


class _Points(NamedTuple):
    """Points in ascending order of one coordinate, ``own``; ``other`` is the other one."""

    own: Floats
    other: Floats
    errors: Floats
    words: Floats

    def take(self, where: np.ndarray | slice) -> _Points:
        return _Points(*(values[where] for values in self))


class _Cut(NamedTuple):
    """A cut after the point ``last`` of the order along ``axis``."""

    gain: float
    axis: int
    last: int
    at: float


def grow(lat: Floats, lon: Floats, errors: Floats, words: Floats, *, criterion: str, floors: Floors) -> Node:
    """The tree over S points, with finite coordinates (S,) and counts (S,); ties go to the first cut of ``lat``."""
    own, other = np.argsort(lat, kind="stable"), np.argsort(lon, kind="stable")
    points = _Points(lat, lon, errors, words).take(own), _Points(lon, lat, errors, words).take(other)
    return _grow(points, criterion, floors, 0)


def _grow(points: tuple[_Points, _Points], criterion: str, floors: Floors, depth: int) -> Node:
    errors, words = float(points[0].errors.sum()), float(points[0].words.sum())
    n = len(points[0].own)
    if depth == floors.depth or n < 2 * floors.speakers or words < 2 * floors.words or not errors > 0:
        return Node(errors, words, n)
    found = [_best_cut(axis, points[axis], errors, words, criterion, floors) for axis in (0, 1)]
    cut = max((cut for cut in found if cut is not None), key=lambda c: c.gain, default=None)
    if cut is None or not cut.gain > 1e-12 * errors:
        return Node(errors, words, n)
    low, high = (_grow(side, criterion, floors, depth + 1) for side in _divide(points, cut))
    return Node(errors, words, n, AXES[cut.axis], cut.at, low, high)


def _best_cut(axis: int, points: _Points, errors: float, words: float, criterion: str, floors: Floors) -> _Cut | None:
    """The best cut of one coordinate whose two sides keep the floors."""
    n, words_low = len(points.own), np.cumsum(points.words)
    # Words never fall along the order, so the floors allow one stretch of cuts; cut i has points 0..i on its low side.
    first = max(floors.speakers, 1, int(np.searchsorted(words_low, floors.words)) + 1) - 1
    last = min(n - max(floors.speakers, 1), int(np.searchsorted(words_low, words - floors.words, side="right"))) - 1
    if first > last:
        return None
    between = points.own[first : last + 1] < points.own[first + 1 : last + 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = gain(criterion, np.cumsum(points.errors)[first : last + 1], words_low[first : last + 1], errors, words)
    gains = np.where(between & np.isfinite(gains), gains, -np.inf)
    best = int(np.argmax(gains))
    if gains[best] == -np.inf:
        return None
    below, above = points.own[first + best], points.own[first + best + 1]
    middle = below + (above - below) / 2
    return _Cut(float(gains[best]), axis, first + best, float(middle if middle > below else above))


def _divide(points: tuple[_Points, _Points], cut: _Cut) -> tuple[tuple[_Points, _Points], tuple[_Points, _Points]]:
    """The points below the cut and those from it on, each in both orders."""
    own, other = points[cut.axis], points[1 - cut.axis]
    is_low = other.other < cut.at
    slices = slice(0, cut.last + 1), slice(cut.last + 1, None)
    low, high = (
        (own.take(half), other.take(np.flatnonzero(mask))) for half, mask in zip(slices, (is_low, ~is_low), strict=True)
    )
    return (low, high) if cut.axis == 0 else (low[::-1], high[::-1])
