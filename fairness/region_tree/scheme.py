"""Frozen regions: boxes of latitude and longitude with readable names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Floats
from earmark.fairness.region_tree.grow import Node
from earmark.models._blocks.finding import SCHEME_VERSION, check_scheme, names_of, numbers

if TYPE_CHECKING:
    from earmark.bench.api import Table

NAME = "region_tree"
NO_PLACE = "no place"
EVERYWHERE = "everywhere"
LIMITS = {"lat": 90.0, "lon": 180.0}


@dataclass(frozen=True, slots=True)
class Region:
    """A box: from the low bound on, below the high one; an infinite bound is none. Rate on discover, for ranking."""

    name: str
    lat: tuple[float, float] = (-math.inf, math.inf)
    lon: tuple[float, float] = (-math.inf, math.inf)
    rate: float = 0.0

    def holds(self, lat: Floats, lon: Floats) -> np.ndarray:
        """Whether each place (n,) lies inside."""
        return (lat >= self.lat[0]) & (lat < self.lat[1]) & (lon >= self.lon[0]) & (lon < self.lon[1])

    def bounds(self) -> str:
        """For people: ``lat >= 32.5, lon < -100``."""
        sides = (_side("lat", *self.lat), _side("lon", *self.lon))
        return ", ".join(side for side in sides if side) or EVERYWHERE


def _side(axis: str, low: float, high: float) -> str:
    if math.isinf(low):
        return "" if math.isinf(high) else f"{axis} < {high:g}"
    return f"{axis} >= {low:g}" if math.isinf(high) else f"{low:g} <= {axis} < {high:g}"


def regions_of(tree: Node) -> tuple[Region, ...]:
    """The leaves as regions, r1 that with the highest rate; a tree without cuts is ``everywhere``."""
    leaves = sorted(_leaves(tree, Region("")), key=lambda r: (-r.rate, r.lat, r.lon))
    if len(leaves) == 1:
        return (replace(leaves[0], name=EVERYWHERE),)
    return tuple(replace(leaf, name=f"r{i}: {leaf.bounds()}") for i, leaf in enumerate(leaves, 1))


def _leaves(node: Node, box: Region) -> list[Region]:
    if not node.sides:
        return [replace(box, rate=node.errors / node.words if node.words else 0.0)]
    low, high = box.lat if node.axis == "lat" else box.lon
    below, above = (low, node.at), (node.at, high)
    boxes = (replace(box, lat=bounds) if node.axis == "lat" else replace(box, lon=bounds) for bounds in (below, above))
    return [leaf for side, inner in zip(node.sides, boxes, strict=True) for leaf in _leaves(side, inner)]


@dataclass(frozen=True, slots=True)
class RegionScheme:
    """A :class:`earmark.bench.api.CohortScheme`; ``about`` says how the regions were found and goes into the JSON."""

    regions: tuple[Region, ...]
    about: Mapping[str, Json]

    def assign(self, rows: Table) -> list[str]:
        """The region of each row; ``no place`` without both coordinates."""
        return names_of([*(r.name for r in self.regions), NO_PLACE], self.which(*places(rows)))

    def which(self, lat: Floats, lon: Floats) -> np.ndarray:
        """The number (n,) of the region of each place, the number of regions where a coordinate is missing."""
        found = np.full(len(lat), len(self.regions))
        for number, region in enumerate(self.regions):
            found[region.holds(lat, lon)] = number
        return found

    def to_json(self) -> Json:
        regions: list[Json] = [
            {"name": r.name, "lat": _open(r.lat), "lon": _open(r.lon), "discover_rate": r.rate} for r in self.regions
        ]
        return {"finder": NAME, "version": SCHEME_VERSION, "regions": regions, "about": dict(self.about)}

    @classmethod
    def from_json(cls, scheme: Json) -> RegionScheme:
        """The scheme that gave this JSON; InputError for anything else."""
        found: dict[str, Any] = check_scheme(scheme, NAME)
        try:
            regions = tuple(
                Region(r["name"], _closed(r["lat"]), _closed(r["lon"]), float(r["discover_rate"]))
                for r in found["regions"]
            )
            return cls(regions, dict(found["about"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a damaged scheme ({error!r})", where=NAME, fix="load what to_json() gave") from error


def _open(bounds: tuple[float, float]) -> Json:
    return [None if math.isinf(bound) else bound for bound in bounds]


def _closed(bounds: list[float | None]) -> tuple[float, float]:
    low, high = bounds
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def places(rows: Table) -> tuple[Floats, Floats]:
    """Latitude and longitude (n,) in degrees, both NaN where either is missing; InputError where one is no degree."""
    lat, lon = numbers(rows, "lat", plugin=NAME), numbers(rows, "lon", plugin=NAME)
    for name, values in (("lat", lat), ("lon", lon)):
        if len(wrong := values[np.abs(values) > LIMITS[name]]):
            what = f"{name} is {wrong[0]:g}"
            raise InputError(what, where=NAME, fix=f"give degrees, {-LIMITS[name]:g} to {LIMITS[name]:g}")
    missing = np.isnan(lat) | np.isnan(lon)
    return np.where(missing, np.nan, lat), np.where(missing, np.nan, lon)
