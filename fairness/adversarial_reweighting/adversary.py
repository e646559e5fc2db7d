"""The adversary: from what it sees of each recording of a batch to a weight of each, and from these to those of pairs.

n recordings, D numbers in an embedding, k regions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

SEEN_OF_SIMILARITIES = 3
"""Numbers that :func:`accumulated_similarities` gives for a recording."""


class Adversary(nn.Module):
    """Nearly linear, as in adversarially reweighted learning (https://arxiv.org/abs/2006.13114, section 4): one layer
    without activation, then one number through a sigmoid.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.Linear(hidden, 1))

    def forward(self, seen: Tensor) -> Tensor:
        """(n, width) -> (n,), each between 0 and 1."""
        found: Tensor = torch.sigmoid(self.layers(seen))[:, 0]
        return found


def normalized_weights(f: Tensor, floor: float) -> Tensor:
    """(n,) weights floor + f / mean f: mean floor + 1, none below floor. With floor 1 those of the article on ARL."""
    return floor + f / f.mean()


def weights_of_each(weights: Tensor) -> Tensor:
    """(n, n) weights of pairs where the first recording of a pair decides: W_ij = w_i."""
    return weights[:, None].expand(-1, len(weights))


def weights_of_pairs(weights: Tensor) -> Tensor:
    """(n, n) weights of pairs, W_ij = w_i + w_j: a matrix of rank two at most."""
    return weights[:, None] + weights[None, :]


def with_regions(embeddings: Tensor, regions: Tensor, k: int) -> Tensor:
    """(n, D) embeddings at length 1 and (n,) regions -> (n, D + k): the embedding, and which region it is in."""
    return torch.cat([normalize(embeddings, dim=1), one_hot(regions, k).to(embeddings.dtype)], dim=1)


def accumulated_similarities(embeddings: Tensor, speakers: Tensor) -> Tensor:
    """(n, D), (n,) -> (n, 3): a recording's mean cosine with the others of its speaker, its mean and its largest with
    those of other speakers; 0 where there are none.
    """
    unit = normalize(embeddings, dim=1)
    cosines = unit @ unit.T
    own = (speakers[:, None] == speakers[None, :]).fill_diagonal_(False)
    other = speakers[:, None] != speakers[None, :]
    highest = cosines.masked_fill(~other, -1.0).amax(dim=1) * other.any(dim=1)
    return torch.stack([_mean(cosines, own), _mean(cosines, other), highest], dim=1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum(dim=1) / where.sum(dim=1).clamp(min=1)
