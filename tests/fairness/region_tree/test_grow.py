"""The tree against brute force, scikit-learn, and the nine places of docs/metrics.md."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from earmark.fairness.region_tree.grow import Floors, Node, grow
from earmark.fairness.region_tree.scheme import regions_of

ALL = Floors(words=1.0, speakers=1, depth=30)
NINE = np.array(
    [
        (47, -122, 5), (45, -122, 7), (34, -118, 6), (33, -112, 8), (40, -74, 10), (42, -71, 9), (30, -90, 22),
        (33, -84, 18), (32, -86, 20),
    ],
    dtype=np.float64,
).T  # fmt: skip
"""Latitude, longitude and errors in 100 words of nine places."""


def random_points(seed: int, n: int = 300) -> tuple[np.ndarray, ...]:
    """Places that float32 holds exactly, as scikit-learn rounds to it; every point has errors."""
    rng = np.random.default_rng(seed)
    lat, lon = (rng.permutation(4 * n)[:n] / 8.0 for _ in range(2))
    words = rng.integers(50, 200, n).astype(np.float64)
    rate = np.where((lat > n / 4) & (lon < n / 3), 0.3, 0.1)
    return lat, lon, rng.poisson(rate * words) + 1.0, words


def leaves(tree: Node) -> list[Node]:
    return [node for node in tree.walk() if not node.sides]


def partition(tree: Node, lat: np.ndarray, lon: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(r.holds(lat, lon)).tolist()) for r in regions_of(tree)}


@pytest.mark.parametrize("criterion", ["abs_diff", "sse"])
def test_the_nine_places_are_cut_at_latitude_32_5(criterion: str) -> None:
    lat, lon, errors = NINE
    tree = grow(lat, lon, errors, np.full(9, 100.0), criterion=criterion, floors=Floors(200.0, 1, 1))
    assert (tree.axis, tree.at) == ("lat", 32.5)
    low, high = tree.sides
    assert (low.errors / low.words, high.errors / high.words) == (0.21, 0.09)


@pytest.mark.parametrize(("criterion", "oracle"), [("sse", "squared_error"), ("poisson", "poisson")])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_leaves_as_scikit_learn(criterion: str, oracle: str, seed: int) -> None:
    lat, lon, errors, words = random_points(seed)
    floor = 3000.0
    tree = grow(lat, lon, errors, words, criterion=criterion, floors=Floors(floor, 1, 4))
    theirs = DecisionTreeRegressor(
        criterion=oracle, max_depth=4, min_weight_fraction_leaf=floor / words.sum(), random_state=0
    ).fit(np.column_stack([lat, lon]), errors / words, sample_weight=words)
    leaf = theirs.apply(np.column_stack([lat, lon]))
    assert partition(tree, lat, lon) == {frozenset(np.flatnonzero(leaf == i).tolist()) for i in set(leaf.tolist())}
    assert len(leaves(tree)) > 4


def brute_force(
    lat: np.ndarray, lon: np.ndarray, e: np.ndarray, n: np.ndarray, criterion: str, floors: Floors
) -> float:
    """The largest gain of any cut, by trying all of them."""

    def rate(at: np.ndarray) -> float:
        return float(e[at].sum() / n[at].sum())

    def loss(at: np.ndarray, w: float) -> float:
        if criterion == "sse":
            return float((n[at] * (e[at] / n[at] - w) ** 2).sum())
        return float(
            2 * sum(n_i * w - (e_i * math.log(w) if e_i else 0) for e_i, n_i in zip(e[at], n[at], strict=True))
        )

    best, everybody = 0.0, np.ones(len(e), dtype=bool)
    for x in (lat, lon):
        for value in np.unique(x)[1:]:
            low = x < value
            if min(n[low].sum(), n[~low].sum()) < floors.words or min(low.sum(), (~low).sum()) < floors.speakers:
                continue
            if criterion == "abs_diff":
                best = max(best, abs(rate(low) - rate(~low)))
            elif rate(low) and rate(~low):
                best = max(best, loss(everybody, rate(everybody)) - loss(low, rate(low)) - loss(~low, rate(~low)))
    return best


@pytest.mark.parametrize("criterion", ["abs_diff", "sse", "poisson"])
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), speakers=st.integers(1, 6), floor=st.sampled_from([1.0, 60.0, 150.0]))
def test_no_cut_is_better_than_the_one_made(criterion: str, seed: int, speakers: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    lat, lon = rng.integers(0, 6, (2, 15)).astype(np.float64)  # many places are shared
    words = rng.integers(5, 40, 15).astype(np.float64)
    errors = rng.integers(1, 6, 15).astype(np.float64)
    floors = Floors(floor, speakers, 1)
    tree = grow(lat, lon, errors, words, criterion=criterion, floors=floors)
    best = brute_force(lat, lon, errors, words, criterion, floors)
    if not tree.sides:
        assert best <= 1e-9
        return
    low = (lat if tree.axis == "lat" else lon) < tree.at
    a, b = (float(errors[s].sum() / words[s].sum()) for s in (low, ~low))
    w, na, nb = errors.sum() / words.sum(), words[low].sum(), words[~low].sum()
    made = {
        "abs_diff": abs(a - b),
        "sse": na * (a - w) ** 2 + nb * (b - w) ** 2,
        "poisson": 2 * (errors[low].sum() * math.log(a / w) + errors[~low].sum() * math.log(b / w)),
    }[criterion]
    assert made == pytest.approx(best, rel=1e-6)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), speakers=st.integers(1, 30), floor=st.sampled_from([1.0, 500.0, 4000.0]))
def test_leaves_partition_the_points_and_keep_both_floors(seed: int, speakers: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    lat, lon = np.round(rng.uniform(-5, 5, (2, 200)), 1)
    words, errors = rng.integers(1, 100, 200).astype(np.float64), rng.integers(0, 9, 200).astype(np.float64)
    tree = grow(lat, lon, errors, words, criterion="poisson", floors=Floors(floor, speakers, 30))
    regions, inside = regions_of(tree), np.zeros(200, dtype=int)
    assert len({r.name for r in regions}) == len(leaves(tree)) == len(regions)
    for region in regions:
        at = region.holds(lat, lon)
        inside += at
        if len(regions) > 1:
            assert at.sum() >= speakers
            assert words[at].sum() >= floor
    assert (inside == 1).all()


def test_alike_rates_are_never_cut() -> None:
    lat, lon = np.random.default_rng(0).uniform(0, 1, (2, 50))
    words = np.full(50, 100.0)
    for criterion in ("abs_diff", "sse", "poisson"):
        assert not grow(lat, lon, words / 10, words, criterion=criterion, floors=ALL).sides


def test_everybody_in_one_place_is_one_leaf() -> None:
    tree = grow(np.ones(9), np.ones(9), NINE[2], np.full(9, 100.0), criterion="poisson", floors=ALL)
    assert (tree.sides, tree.speakers, tree.errors) == ((), 9, 105.0)


def test_a_cut_between_neighboring_floats_divides_them() -> None:
    one = 1.0
    lat = np.array([one, np.nextafter(one, 2.0)])
    tree = grow(lat, np.zeros(2), np.array([1.0, 9.0]), np.full(2, 10.0), criterion="sse", floors=ALL)
    assert [(lat < tree.at).tolist()] == [[True, False]]


def test_depth_is_a_limit() -> None:
    lat, lon, errors, words = random_points(1)
    assert len(leaves(grow(lat, lon, errors, words, criterion="sse", floors=Floors(1.0, 1, 3)))) == 8
    assert not grow(lat, lon, errors, words, criterion="sse", floors=Floors(1.0, 1, 0)).sides
