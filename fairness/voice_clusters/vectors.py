"""Voices as vectors: one a speaker, clusters of them, and how far the clusters can be relied on.

n is the number of rows, S that of speakers, D that of numbers in an embedding, k that of clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers
from earmark.models._blocks.clusters import k_means, nearest, unit
from earmark.models._blocks.finding import Speakers, column

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import Table


def embeddings(rows: Table, *, plugin: str) -> tuple[Floats, Integers]:
    """The embeddings (m, D) and the rows (m,) that have one; zeros are none.

    Raises:
        InputError: embeddings differ in length, or a number is NaN or infinite.
    """
    cells = column(rows, "embedding", plugin=plugin)
    if pa.types.is_null(cells.type):
        return np.zeros((0, 0)), np.zeros(0, dtype=np.int64)
    at = np.flatnonzero(np.asarray(pc.is_valid(cells).to_numpy()))
    lengths = pc.unique(pc.list_value_length(cells.drop_null())).to_pylist()
    if len(lengths) > 1:
        what = f"embeddings of {min(lengths)} and of {max(lengths)} numbers"
        raise InputError(what, where=plugin, fix="give embeddings of one model")
    if not len(at):
        return np.zeros((0, 0)), at
    flat = pc.list_flatten(cells).to_numpy()
    vectors = np.asarray(flat, dtype=np.float64).reshape(len(at), -1)
    if not np.isfinite(vectors).all():
        first = int(at[np.argmin(np.isfinite(vectors).all(axis=1))])
        raise InputError(f"row {first} has an embedding that is not finite", where=plugin, fix="mend the embedder")
    sounding = (vectors != 0).any(axis=1)
    return vectors[sounding], at[sounding]


def voices(speakers: Speakers, vectors: Floats, at: Integers) -> tuple[Floats, Integers]:
    """Average embedding of each speaker at length 1 (m, D), and which speakers (m,) have one."""
    named = speakers.row_speaker[at] >= 0
    who = speakers.row_speaker[at][named]
    if not len(who):
        return vectors[:0], who
    cells = (np.ones(len(who)), (who, np.arange(len(who))))
    sums: Floats = np.asarray(csr_array(cells, shape=(len(speakers.names), len(who))) @ vectors[named])
    heard = np.flatnonzero(np.linalg.norm(sums, axis=1) > 0)
    return unit(sums[heard]), heard


def stability(vectors: Floats, centroids: Floats, *, restarts: int, times: int, rng: Generator) -> tuple[float, float]:
    """Mean adjusted Rand index against clusterings with other seeds, and against those of random halves of speakers.

    1 is the same clusters, 0 what chance would give.
    """
    from sklearn.metrics import adjusted_rand_score

    k, own = len(centroids), nearest(vectors, centroids)
    reseeded, halved = [], []
    for _ in range(times):
        again = k_means(vectors, k, restarts=restarts, rng=rng)
        reseeded.append(adjusted_rand_score(own, nearest(vectors, again)))
        half = vectors[rng.permutation(len(vectors))[: max(k, len(vectors) // 2)]]
        if len(np.unique(half, axis=0)) >= k:
            again = k_means(half, k, restarts=restarts, rng=rng)
            halved.append(adjusted_rand_score(own, nearest(vectors, again)))
    return float(np.mean(reseeded)), float(np.mean(halved)) if halved else 0.0
