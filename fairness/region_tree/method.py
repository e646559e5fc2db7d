"""Regions of a map by word error rate: a tree grown on discover and pruned on select.

The idea is that of Trinh et al., "Reducing geographic disparities in automatic speech recognition via elastic weight
consolidation" (arXiv 2207.07850): a clustering of users' places by error rate. The paper's criterion, depth and leaf
sizes are not known; README.md lists what was chosen here. In reading order: options, the finder, :func:`build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Floats
from earmark.fairness.region_tree.grow import Floors, Node, grow
from earmark.fairness.region_tree.prune import Pruned, prune
from earmark.fairness.region_tree.scheme import NAME, RegionScheme, places, regions_of
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.dividing import CRITERIA
from earmark.models._blocks.finding import Speakers, first_rows, read_splits, remarks, usual

if TYPE_CHECKING:
    from earmark.bench.api import Table


@dataclass(frozen=True, slots=True)
class Options:
    """Choices about the tree."""

    criterion: str = "poisson"
    """What a cut maximizes: ``poisson``, ``sse`` or ``abs_diff``."""
    min_words: float = 200.0
    """Reference words on each side of a cut."""
    min_speakers: int = 10
    """Speakers on each side of a cut."""
    max_depth: int = 6
    """Cuts above a leaf."""
    alpha: float = 0.02
    """Share of worlds without any difference between places in which more than one region may stand."""
    n_deals: int = 499
    """Random deals of outcomes to places that the test makes."""

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            what = f"option 'criterion' is {self.criterion!r}"
            raise InputError(what, where=NAME, fix=f"choose one of: {', '.join(CRITERIA)}")
        in_range("min_words", self.min_words, 1.0, 1e9, plugin=NAME)
        in_range("min_speakers", self.min_speakers, 1, 1_000_000, plugin=NAME)
        in_range("max_depth", self.max_depth, 0, 30, plugin=NAME)
        in_range("alpha", self.alpha, 0.001, 1.0, plugin=NAME)
        in_range("n_deals", self.n_deals, 19, 100_000, plugin=NAME)

    @property
    def floors(self) -> Floors:
        return Floors(self.min_words, self.min_speakers, self.max_depth)

    @property
    def risk(self) -> str:
        """What pruning counts in; ``abs_diff`` does not add up over leaves, so it is pruned by deviance."""
        return "sse" if self.criterion == "sse" else "poisson"


@dataclass(frozen=True, slots=True)
class Placed:
    """Speakers with a place: coordinates and counts (S,) of each."""

    lat: Floats
    lon: Floats
    errors: Floats
    words: Floats


class RegionTree:
    """A :class:`earmark.bench.api.CohortFinder`."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def fit(self, discover: Table, select: Table, *, seed: int) -> RegionScheme:
        """Regions grown on discover, pruned on select.

        Raises:
            InputError: a split has no rows, no speaker of discover has a place, or somebody is in both splits.
        """
        speakers = read_splits(discover, select, plugin=NAME)
        grown, judged = (placed(who, rows) for who, rows in zip(speakers, (discover, select), strict=True))
        if speakers[0].names and not len(grown.lat):
            raise InputError("no speaker of discover has a place", where=NAME, fix="give lat and lon, in degrees")
        pruned = self.tree(grown, judged, np.random.default_rng(seed))
        said = remarks(*speakers)
        if n_missing := sum(len(who.names) for who in speakers) - len(grown.lat) - len(judged.lat):
            said.append(f"{n_missing} speakers have no place")
        regions = regions_of(pruned.tree)
        if len(regions) == 1:
            said.append("one region: no difference between places that select speakers bear out")
        return RegionScheme(regions, {**_about(pruned, self.options, grown, judged), "remarks": [*said]})

    def load(self, scheme: Json) -> RegionScheme:
        """A scheme from its JSON."""
        return RegionScheme.from_json(scheme)

    def tree(self, grown: Placed, judged: Placed, rng: np.random.Generator) -> Pruned:
        """The tree of these discover speakers that these select speakers bear out."""
        tree = self.grow(grown)
        o = self.options
        return prune(
            tree, judged.lat, judged.lon, judged.errors, judged.words,
            risk=o.risk, alpha=o.alpha, n_deals=o.n_deals, rng=rng,
        )  # fmt: skip

    def grow(self, points: Placed) -> Node:
        """The tree before pruning."""
        o = self.options
        return grow(points.lat, points.lon, points.errors, points.words, criterion=o.criterion, floors=o.floors)


def placed(speakers: Speakers, rows: Table) -> Placed:
    """Every speaker with a place, once: at the place where they said most words."""
    lat, lon = places(rows)
    known = np.isfinite(lat)
    first = first_rows(speakers, known)
    at = np.flatnonzero(known & (speakers.row_speaker >= 0))
    home = first[speakers.row_speaker[at]]
    if not ((lat[at] == lat[home]) & (lon[at] == lon[home])).all():  # somebody moves
        spots = np.full(len(lat), -1, dtype=np.int64)
        _, index, spots[at] = np.unique(lat[at] + 1j * lon[at], return_index=True, return_inverse=True)
        spot = usual(speakers, spots)
        first = np.where(spot >= 0, at[index][spot], -1)
    there = first >= 0
    return Placed(lat[first[there]], lon[first[there]], speakers.errors[there], speakers.words[there])


def _about(pruned: Pruned, options: Options, grown: Placed, judged: Placed) -> dict[str, Json]:
    return {
        "options": asdict(options),
        "discover_speakers": len(grown.lat),
        "select_speakers": len(judged.lat),
        "leaves_grown": pruned.n_grown,
        "p_value": pruned.p_value,
    }


def build(*, options: Mapping[str, Json]) -> RegionTree:
    """The finder with these options."""
    return RegionTree(read_options(Options, options, plugin=NAME))
