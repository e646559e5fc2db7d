"""Which utterances make the batch of a step: a function of seed and step alone, so there is no state to lose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.random import Generator

from earmark.bench.api import InputError

WINDOW = 20
"""Batches that are sorted by length together: enough to save padding, few enough to mix."""


@dataclass(frozen=True, eq=False)
class Batches:
    """``batching`` is ``bucketed``, recordings of like length together, or ``by_speaker``, two of each speaker.

    ``weights`` (n,) draw recordings with replacement in proportion to them, an epoch being as long as without. By
    speaker they draw speakers in proportion to the sum over their recordings, each at most once in a batch, and of a
    speaker's recordings two by their weights.
    """

    seed: int
    durations: Sequence[float]
    speakers: Sequence[str | None]
    batch_size: int
    batching: Literal["bucketed", "by_speaker"] = "bucketed"
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if not len(self.durations):
            raise InputError("no recordings to train on", fix="give a train split that is not empty")
        if self.weights is not None:
            self._check(np.asarray(self.weights, dtype=np.float64))
        if self.batching == "by_speaker" and not self._pairs():
            raise InputError("no speaker has two recordings to train on", fix="give a train split with pairs")

    def of_step(self, step: int) -> list[int]:
        """Rows of the batch of a step, counted from 0."""
        epoch = 0
        while step >= self._begins(epoch + 1):
            epoch += 1
        return self._epoch(epoch)[step - self._begins(epoch)]

    @cache  # noqa: B019 - lives as long as one training
    def _begins(self, epoch: int) -> int:
        """The step with which an epoch begins."""
        return 0 if epoch == 0 else self._begins(epoch - 1) + len(self._epoch(epoch - 1))

    @lru_cache(maxsize=4)  # noqa: B019 - lives as long as one training
    def _epoch(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng((self.seed, epoch, 0xBA7C4))
        made = self._by_speaker(rng) if self.batching == "by_speaker" else self._bucketed(rng)
        return [made[place] for place in rng.permutation(len(made))]

    def _bucketed(self, rng: Generator) -> list[list[int]]:
        order, size = self._drawn(rng), self.batch_size
        batches = []
        for first in range(0, len(order), WINDOW * size):
            window = sorted(order[first : first + WINDOW * size], key=lambda row: self.durations[row])
            batches += [window[i : i + size] for i in range(0, len(window), size)]
        return batches

    def _drawn(self, rng: Generator) -> list[int]:
        n = len(self.durations)
        if self.weights is None:
            return [int(row) for row in rng.permutation(n)]
        chances = np.asarray(self.weights, dtype=np.float64)
        return [int(row) for row in rng.choice(n, n, p=chances / chances.sum())]

    def _by_speaker(self, rng: Generator) -> list[list[int]]:
        half, rows_of = max(2, self.batch_size // 2), self._drawable()
        if self.weights is None:
            order = [int(place) for place in rng.permutation(len(rows_of))]
            groups = [order[i : i + half] for i in range(0, len(order), half)]
            groups = [group for group in groups if len(group) >= 2] or groups
        else:
            n_batches = max(1, round(len(self._pairs()) / half))
            groups = [self._drawn_speakers(rows_of, half, rng) for _ in range(n_batches)]
        return [[row for place in group for row in self._two(rows_of[place], rng)] for group in groups]

    def _drawn_speakers(self, rows_of: list[list[int]], n: int, rng: Generator) -> list[int]:
        """Places of ``n`` speakers, none twice: a systematic sample in random order, so that chances are exact.

        A speaker whose share would be more than one place in a batch has one, and the batch is smaller.
        """
        order = rng.permutation(len(rows_of))
        shares = np.array([self._weights[rows].sum() for rows in rows_of])[order]
        points = (np.arange(n) + rng.random()) / n
        found = np.searchsorted(shares.cumsum() / shares.sum(), points, side="right").clip(max=len(order) - 1)
        return [int(order[place]) for place in np.unique(found)]

    def _two(self, rows: list[int], rng: Generator) -> list[int]:
        weights = self._weights[rows]
        return [int(row) for row in rng.choice(rows, 2, replace=False, p=weights / weights.sum())]

    def _drawable(self) -> list[list[int]]:
        """Rows of each speaker who has two that can be drawn."""
        found = [rows for rows in self._pairs() if np.count_nonzero(self._weights[rows]) >= 2]
        if not found:
            raise InputError("no speaker has two recordings of any weight", fix="give weights that leave pairs")
        return found

    @property
    def _weights(self) -> np.ndarray:
        return np.ones(len(self.durations)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)

    def _pairs(self) -> list[list[int]]:
        """Rows of each speaker who has at least two."""
        of: dict[str, list[int]] = defaultdict(list)
        for row, speaker in enumerate(self.speakers):
            if speaker:
                of[speaker].append(row)
        return [rows for _, rows in sorted(of.items()) if len(rows) >= 2]

    def _check(self, weights: np.ndarray) -> None:
        if (
            weights.shape != (len(self.durations),)
            or not np.isfinite(weights).all()
            or weights.min() < 0
            or not weights.sum()
        ):
            what = f"row_weights of shape {weights.shape} for {len(self.durations)} recordings"
            raise InputError(what, fix="give one finite weight, zero or more, for each row, not all zero")
