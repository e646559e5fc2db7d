"""Regions of a space of embeddings, by k-means. n rows, D numbers in an embedding, k regions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import SpeakerEmbedder, Unsupported
from earmark.bench.metrics.resampling import Floats, Integers
from earmark.models._blocks.repairs import at_rest

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import HasInfo, Trainer

DIGITS = 7
"""Decimals of a centroid that is kept; the float32 embeddings they are means of have no more."""


def unit(vectors: Floats) -> Floats:
    """Rows brought to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def k_means(vectors: Floats, k: int, *, restarts: int, rng: Generator, begin: Floats | None = None) -> Floats:
    """Centroids (k, D) of vectors (n, D), rounded to ``DIGITS``: what is kept is what is used.

    With ``begin`` (k, D) one start, from there: a region keeps its number while the vectors move on.
    """
    from sklearn.cluster import KMeans

    how = {"init": begin, "n_init": 1} if begin is not None else {"n_init": restarts}
    fitted = KMeans(k, random_state=int(rng.integers(2**31)), **how).fit(vectors)
    return np.asarray(np.round(fitted.cluster_centers_, DIGITS) + 0.0, dtype=np.float64)


def nearest(vectors: Floats, centroids: Floats) -> Integers:
    """The nearest centroid (n,) of each vector (n, D). A sum of its own for each row, whoever else is in the batch."""
    scores = np.einsum("nd,kd->nk", vectors, centroids) - 0.5 * (centroids**2).sum(axis=1)
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def voice_regions(model: HasInfo, trainer: Trainer, k: int, *, seed: int, plugin: str) -> tuple[str, ...]:
    """The region of each train utterance: that of its speaker's mean embedding, by the model itself.

    Raises:
        Unsupported: the model embeds no speakers.
    """
    resting = at_rest(model)
    if not isinstance(resting, SpeakerEmbedder):
        raise Unsupported(f"{plugin} divides voices by the model's own embeddings: this one embeds no speakers")
    of_speaker: dict[str, list[Floats]] = defaultdict(list)
    who = []
    for example in trainer.examples():
        who.append(example.turns[0].speaker or example.utterance_id)
        heard = resting.embed(example.samples[None], np.array([len(example.samples)], dtype=np.int64))
        of_speaker[who[-1]].append(unit(heard.astype(np.float64))[0])
    means = unit(np.stack([np.mean(rows, axis=0) for rows in of_speaker.values()]))
    n_regions = min(k, len(np.unique(means, axis=0)))
    regions = nearest(means, k_means(means, n_regions, restarts=4, rng=np.random.default_rng(seed)))
    region = dict(zip(of_speaker, regions.tolist(), strict=True))
    return tuple(f"voices {region[speaker]}" for speaker in who)
