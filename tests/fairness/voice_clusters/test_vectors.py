"""Voices as vectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from earmark.bench.api import InputError
from earmark.fairness.voice_clusters.vectors import embeddings, stability, voices
from earmark.models._blocks.clusters import k_means, nearest, unit
from earmark.models._blocks.finding import read_speakers


def table(vectors: list[list[float] | None], speakers: list[str | None], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({
        "speaker": pa.array(speakers, pa.string()), "errors": [1] * len(vectors), "words": [9] * len(vectors),
        "embedding": pa.array(vectors, kind or pa.list_(pa.float64())),
    })  # fmt: skip


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 2)]
)
def test_embeddings_of_any_list_type_skip_rows_without(kind: pa.DataType) -> None:
    rows = table([[1, 2], None, [0, 0], [3, 4]], ["a", "a", "b", "b"], kind)
    joined = pa.concat_tables([rows.slice(1), rows.slice(0, 1)])
    for given, where in ((rows, [0, 3]), (joined, [2, 3]), (rows.slice(1), [2])):
        vectors, at = embeddings(given, plugin="test")
        assert at.tolist() == where
        assert vectors.tolist() == [v for i, v in enumerate(given["embedding"].to_pylist()) if i in where]


def test_nobody_has_an_embedding() -> None:
    for kind in (pa.null(), pa.list_(pa.float32())):
        assert embeddings(table([None, None], ["a", "b"], kind), plugin="test")[1].tolist() == []


def test_odd_embeddings_are_refused() -> None:
    with pytest.raises(InputError, match="of 1 and of 2 numbers"):
        embeddings(table([[1, 2], [3]], ["a", "b"]), plugin="test")
    with pytest.raises(InputError, match="row 2 has an embedding that is not finite"):
        embeddings(table([[1, 2], None, [1, float("nan")]], ["a", "b", "c"]), plugin="test")


def test_a_voice_is_the_average_of_its_speakers_rows_at_length_one() -> None:
    rows = table([[3, 0], [0, 4], [9, 9], [1, -1], [-1, 1], [5, 0]], ["b", "b", None, "c", "c", "a"])
    vectors, who = voices(read_speakers(rows, "discover", plugin="test"), *embeddings(rows, plugin="test"))
    assert who.tolist() == [0, 1]  # a and b; the rows of c cancel out, and one row is nobody's
    assert vectors == pytest.approx(np.array([[1.0, 0.0], [0.6, 0.8]]))


def clouds(n: int, spread: float, seed: int = 0) -> np.ndarray:
    """n unit vectors around each of three directions."""
    rng = np.random.default_rng(seed)
    return unit(np.repeat(np.eye(3), n, axis=0) + spread * rng.normal(size=(3 * n, 3)))


def test_nearest_is_the_smallest_distance() -> None:
    rng = np.random.default_rng(0)
    vectors, centroids = rng.normal(size=(50, 4)), rng.normal(size=(5, 4))
    distances = ((vectors[:, None] - centroids) ** 2).sum(axis=2)
    assert nearest(vectors, centroids).tolist() == distances.argmin(axis=1).tolist()
    assert [nearest(v[None], centroids)[0] for v in vectors] == nearest(vectors, centroids).tolist()


def test_clear_clusters_are_found_and_are_stable_and_a_ball_is_not() -> None:
    found = {}
    for name, vectors in {
        "clouds": clouds(30, 0.1),
        "ball": unit(np.random.default_rng(1).normal(size=(90, 12))),
    }.items():
        rng = np.random.default_rng(0)
        centroids = k_means(vectors, 3, restarts=2, rng=rng)
        found[name] = stability(vectors, centroids, restarts=1, times=3, rng=rng)
        if name == "clouds":
            own = nearest(vectors, centroids).reshape(3, 30)
            assert (own == own[:, :1]).all()
            assert len(set(own[:, 0])) == 3
    assert found["clouds"] == (1.0, 1.0)
    assert max(found["ball"]) < 0.5
