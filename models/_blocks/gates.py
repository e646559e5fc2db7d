"""What a conditional Transformer leaves out: decisions by frame, block and head, and how they are learned.

Compute-cost amortized Transformer-Transducer (https://arxiv.org/abs/2207.02393, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Estimator: TypeAlias = Literal["straight-through", "sampled", "gumbel"]
ESTIMATORS = ("straight-through", "sampled", "gumbel")


@dataclass(frozen=True, slots=True)
class Gates:
    """Of some frames and L blocks of H heads: ``query`` (..., L, H), ``key`` (..., L, H), ``ffn`` (..., L).

    1 or True is on. Training has numbers that carry gradients, a stream has bools.
    """

    query: Tensor
    key: Tensor
    ffn: Tensor

    def block(self, i: int) -> BlockGates:
        return BlockGates(self.query[..., i, :], self.key[..., i, :], self.ffn[..., i])

    @property
    def n_blocks(self) -> int:
        return self.ffn.shape[-1]

    def shares(self) -> Tensor:
        """(k, 3): of k frames the shares of queries, of keys and of feed-forwards that are on."""
        return torch.stack([gate.flatten(1).float().mean(dim=1) for gate in (self.query, self.key, self.ffn)], dim=1)


@dataclass(frozen=True, slots=True)
class BlockGates:
    """Of one block: ``query`` (..., H), ``key`` (..., H), ``ffn`` (...)."""

    query: Tensor
    key: Tensor
    ffn: Tensor


def straight_through(logits: Tensor, *, cut: float = 0.0) -> Tensor:
    """1 where a logit is above ``cut``, else 0; the gradient is that of the sigmoid (Bengio et al. 2013, section 3)."""
    soft = torch.sigmoid(logits)
    return (logits > cut).to(soft.dtype) + (soft - soft.detach())


def sampled(logits: Tensor, *, contribution: float) -> Tensor:
    """Decisions drawn with the probabilities of :func:`straight_through` where ``contribution`` is 1, surer below."""
    return straight_through(logits + contribution * logistic_noise(logits))


def logistic_noise(logits: Tensor) -> Tensor:
    """The difference of two Gumbel draws for each logit."""
    uniform = torch.rand_like(logits).clamp(1e-6, 1.0 - 1e-6)
    return uniform.log() - (-uniform).log1p()


def gumbel_sigmoid(logits: Tensor, *, temperature: float, contribution: float = 1.0) -> Tensor:
    """Soft decisions in (0, 1) (Jang et al. 2017, for two classes): noise and a sigmoid of falling temperature.

    ``contribution`` scales the noise, the difference of two Gumbel draws. At temperature 0 they are 0 or 1.
    """
    return torch.sigmoid((logits + contribution * logistic_noise(logits)) / temperature)


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of a chunk in which each of some gates is on, gate after gate, in their order.

    Args:
        counts: of each gate.
        numbers: of each gate, those of its frames in the recording.
        index: (n,) their places in the chunk; None for one gate that is on in all of it, and in a chunk of one frame.
    """

    counts: list[int]
    numbers: list[list[int]]
    index: Tensor | None

    def __len__(self) -> int:
        return sum(self.counts)

    def of(self, x: Tensor) -> Tensor:
        """Their rows of (k, ...), gate after gate; without ``index`` ``x`` itself."""
        return x if self.index is None else x.index_select(0, self.index)

    def split(self, rows: Tensor, dim: int = 0) -> Sequence[Tensor]:
        """One row for each of them, along any dimension, gate by gate; other rows are given to each gate."""
        if len(self.counts) == 1 or rows.shape[dim] != sum(self.counts):
            return [rows] * len(self.counts)
        return rows.split_with_sizes(self.counts, dim)

    def add(self, x: Tensor, more: Tensor) -> Tensor:
        """``x`` (k, D) with ``more`` added to their rows, in place."""
        return x.add_(more) if self.index is None else x.index_add_(0, self.index, more)


def frames_on(on: Tensor, first: int = 0) -> list[Frames]:
    """(k, n, g) bools of frames from number ``first`` on -> for each of n the frames of its g gates."""
    k, n, g = on.shape
    flat = on.reshape(k, n * g).t()  # gate by gate
    index = flat.nonzero()[:, 1]
    numbers, counts = (index + first).tolist(), flat.sum(dim=1).tolist()
    found, end = [], 0
    for place in range(0, n * g, g):
        begin, of_each, own = end, counts[place : place + g], []
        for count in of_each:
            own.append(numbers[end : end + count])
            end += count
        whole = k == 1 or (g == 1 and end - begin == k)
        found.append(Frames(of_each, own, None if whole else index[begin:end]))
    return found


def all_frames(k: int, n_gates: int, first: int, device: torch.device) -> Frames:
    """Of k frames from number ``first`` on, all of them for each of some gates."""
    numbers = list(range(first, first + k))
    index = None if k == 1 or n_gates == 1 else torch.arange(k, device=device).repeat(n_gates)
    return Frames([k] * n_gates, [numbers] * n_gates, index)
