"""Blocks of a causal Transformer (Vaswani et al. 2017) that can be left out in part, frame by frame.

In training everything is computed and masked; in a stream nothing is computed that is off.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from earmark.models._blocks.attention import GatedAttention, Sight
from earmark.models._blocks.gates import BlockGates, Frames
from earmark.models._blocks.key_cache import KeyCache
from earmark.models._blocks.recurrent import Dense


@dataclass(frozen=True, slots=True)
class TransformerSizes:
    """``stem``: frames that a causal convolution before the blocks sees; 0 for a linear layer on each frame alone."""

    stack: int
    width: int
    blocks: int
    heads: int
    ffn: int
    stem: int = 0


@dataclass(frozen=True, slots=True)
class BlockOn:
    """Of one block, the frames that are on: of queries and keys, group of heads by group, and of the feed-forward."""

    query: Frames
    key: Frames
    ffn: Frames

    @property
    def attends(self) -> bool:
        return len(self.query) + len(self.key) > 0


class FeedForward(nn.Module):
    """Two layers with a Swish between them, (..., D) -> (..., D)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.widen, self.narrow = Dense(width, hidden), Dense(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        narrowed: Tensor = self.narrow(nn.functional.silu(self.widen(x)))
        return narrowed

    def macs(self, n_frames: int) -> int:
        return self.widen.macs(n_frames) + self.narrow.macs(n_frames)


class Block(nn.Module):
    """Attention and feed-forward, each on a LayerNorm of its input and added to it."""

    def __init__(self, sizes: TransformerSizes, dropout: float, *, per_head: bool) -> None:
        super().__init__()
        self.norm_attention, self.norm_ffn = nn.LayerNorm(sizes.width), nn.LayerNorm(sizes.width)
        self.attention = GatedAttention(sizes.width, sizes.heads, per_head=per_head)
        self.ffn = FeedForward(sizes.width, sizes.ffn)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sight: Sight, gates: BlockGates | None) -> Tensor:
        """(B, T, D) -> (B, T, D), all of it computed."""
        x = x + self.dropout(self.attention(self.norm_attention(x), sight, gates))
        more = self.dropout(self.ffn(self.norm_ffn(x)))
        return torch.add(x, more if gates is None else more * gates.ffn[..., None])

    def step(self, x: Tensor, sight: Sight, on: BlockOn, caches: list[KeyCache], work: Counter[str]) -> Tensor:
        """(k, D) -> (k, D), computing what is on; ``x`` and the caches change in place, ``work`` is added to."""
        if on.attends:
            x = self.attention.step(x, self.norm_attention(x), (on.query, on.key), caches, sight, work)
        if not len(on.ffn):
            return x
        work["ffn"] += self.ffn.macs(len(on.ffn))
        return on.ffn.add(x, self.ffn(self.norm_ffn(on.ffn.of(x))))
