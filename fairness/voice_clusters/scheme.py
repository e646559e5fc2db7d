"""Frozen clusters of voices: centroids with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Floats
from earmark.fairness.voice_clusters.vectors import embeddings
from earmark.models._blocks.clusters import nearest, unit
from earmark.models._blocks.finding import SCHEME_VERSION, check_scheme, names_of

if TYPE_CHECKING:
    from earmark.bench.api import Table

NAME = "voice_clusters"
NO_VOICE = "no embedding"
ALL_VOICES = "all voices"


@dataclass(frozen=True, slots=True)
class VoiceScheme:
    """A :class:`earmark.bench.api.CohortScheme`: names and centroids (k, D), and how they were found."""

    names: tuple[str, ...]
    centroids: Floats
    about: Mapping[str, Json]

    def assign(self, rows: Table) -> list[str]:
        """The cluster nearest to each row's own embedding; ``no embedding`` without one.

        A speaker stays whole if all rows carry the speaker's average.
        """
        vectors, at = embeddings(rows, plugin=NAME)
        if len(at) and self.centroids.size and vectors.shape[1] != self.centroids.shape[1]:
            what = f"embeddings of {vectors.shape[1]} numbers, clusters of {self.centroids.shape[1]}"
            raise InputError(what, where=NAME, fix="use the embedder that the clusters were found with")
        which = np.full(len(rows), len(self.names), dtype=np.int64)
        which[at] = nearest(unit(vectors), self.centroids) if len(self.names) > 1 and len(at) else 0
        return names_of([*self.names, NO_VOICE], which)

    def to_json(self) -> Json:
        clusters: list[Json] = [
            {"name": name, "centroid": centroid}
            for name, centroid in zip(self.names, self.centroids.tolist(), strict=True)
        ]
        return {"finder": NAME, "version": SCHEME_VERSION, "clusters": clusters, "about": dict(self.about)}

    @classmethod
    def from_json(cls, scheme: Json) -> VoiceScheme:
        """The scheme that gave this JSON; InputError for anything else."""
        found: dict[str, Any] = check_scheme(scheme, NAME)
        try:
            names = tuple(str(cluster["name"]) for cluster in found["clusters"])
            centroids = np.array([cluster["centroid"] for cluster in found["clusters"]], dtype=np.float64)
            return cls(names, centroids, dict(found["about"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a damaged scheme ({error!r})", where=NAME, fix="load what to_json() gave") from error
