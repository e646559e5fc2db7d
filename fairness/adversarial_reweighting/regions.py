"""Which region of the space of embeddings a recording falls into: k-means over those heard last."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from earmark.models._blocks.clusters import k_means, nearest


class Regions:
    """k regions. State: centroids (at most k, D), and the embeddings (m, D) heard last that they are renewed from."""

    def __init__(self, k: int, dim: int, *, n_kept: int, seed: int) -> None:
        self.k, self.n_kept, self.seed = k, n_kept, seed
        self.centroids, self.heard = torch.zeros(0, dim), torch.zeros(0, dim)

    def add(self, embeddings: Tensor) -> None:
        """Remember (n, D) embeddings, and forget the oldest."""
        unit = normalize(embeddings.detach(), dim=1).cpu()
        self.heard = torch.cat([self.heard, unit])[-self.n_kept :]

    def renew(self, step: int) -> None:
        """Find the centroids of what is remembered, beginning from those there are: regions keep their numbers."""
        vectors = self.heard.double().numpy()
        begin = self.centroids.double().numpy() if len(self.centroids) else None
        k = min(self.k, len(np.unique(vectors, axis=0))) if begin is None else len(begin)
        rng = np.random.default_rng((self.seed, step, 0xA4))
        self.centroids = torch.from_numpy(k_means(vectors, k, restarts=4, rng=rng, begin=begin)).float()

    def of(self, embeddings: Tensor) -> Tensor:
        """(n, D) -> (n,) numbers of regions, on the same device."""
        unit = normalize(embeddings.detach(), dim=1).double().cpu().numpy()
        return torch.from_numpy(nearest(unit, self.centroids.double().numpy())).to(embeddings.device)

    def state(self) -> Mapping[str, Tensor]:
        return {"centroids": self.centroids, "heard": self.heard}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.centroids, self.heard = state["centroids"].cpu(), state["heard"].cpu()
