"""The region tree beside scikit-learn's on the same rows: the budget is twice its time. One thread, one process.

Run with ``pytest tests/benchmarks/test_speed_region_tree.py --benchmark-only``; the table shows the two in one group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from earmark.fairness.region_tree.grow import Floors, grow
from earmark.fairness.region_tree.method import build, placed
from earmark.models._blocks.finding import read_speakers

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

N, N_SPEAKERS, DEPTH, FLOOR = 1_000_000, 10_000, 6, 200.0
ONE = {"rounds": 1, "iterations": 1}


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    """A million utterances, each at a place of its own: the worst case, in which every utterance is a speaker."""
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(25, 49, N), rng.uniform(-124, -67, N)
    words = rng.integers(3, 15, N).astype(np.float64)
    rate = np.where((lat > 40) & (lon < -100), 0.15, 0.1)
    return {"lat": lat, "lon": lon, "errors": rng.poisson(rate * words).astype(np.float64), "words": words}


@pytest.fixture(scope="module")
def table(rows: dict[str, np.ndarray]) -> pa.Table:
    """The same outcomes from ten thousand speakers, each in one place."""
    who = np.random.default_rng(1).integers(N_SPEAKERS, size=N)
    names = pa.DictionaryArray.from_arrays(who.astype(np.int32), [f"s{i}" for i in range(N_SPEAKERS)])
    place = {name: rows[name][:N_SPEAKERS][who] for name in ("lat", "lon")}
    return pa.table({"speaker": names.cast(pa.string()), "errors": rows["errors"], "words": rows["words"], **place})


@pytest.mark.benchmark(group="a million places")
@pytest.mark.parametrize("criterion", ["poisson", "sse"])
def test_grow_a_million_places(benchmark: BenchmarkFixture, rows: dict[str, np.ndarray], criterion: str) -> None:
    tree = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: grow(**rows, criterion=criterion, floors=Floors(FLOOR, 1, DEPTH)), **ONE
    )
    assert sum(not node.sides for node in tree.walk()) > 8


@pytest.mark.benchmark(group="a million places")
@pytest.mark.parametrize("criterion", ["poisson", "squared_error"])
def test_scikit_learn_on_the_same_rows(
    benchmark: BenchmarkFixture, rows: dict[str, np.ndarray], criterion: str
) -> None:
    from sklearn.tree import DecisionTreeRegressor

    words = rows["words"]
    theirs = DecisionTreeRegressor(
        criterion=criterion, max_depth=DEPTH, min_weight_fraction_leaf=FLOOR / words.sum(), random_state=0
    )
    places = np.column_stack([rows["lat"], rows["lon"]])
    benchmark.pedantic(lambda: theirs.fit(places, rows["errors"] / words, sample_weight=words), **ONE)  # type: ignore[no-untyped-call]
    assert theirs.get_n_leaves() > 8


@pytest.mark.benchmark(group="ten thousand speakers")
def test_from_a_table_of_a_million_utterances(benchmark: BenchmarkFixture, table: pa.Table) -> None:
    """Reading, summing by speaker and growing."""
    finder = build(options={})
    tree = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: finder.grow(placed(read_speakers(table, "discover", plugin="speed"), table)), **ONE
    )
    assert tree.sides
