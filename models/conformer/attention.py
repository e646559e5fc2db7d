"""Self-attention of a Conformer (https://arxiv.org/abs/2005.08100, section 2.1) over a bounded stretch of the past.

Positions are relative, in the four terms of Transformer-XL (https://arxiv.org/abs/1901.02860, section 3.3): how well a
key fits, how far back it stands, and what of either is liked whatever the query.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from earmark.models._blocks.recurrent import Dense

AttentionState: TypeAlias = tuple[Tensor, Tensor, int]


class PastAttention(nn.Module):
    """Each frame attends to itself and to the ``left`` frames before it, those of them that there are.

    Queries go through in groups of at most ``left``, so that a long recording costs as much a frame as a short one.

    State: keys and values of the last ``left`` frames, (B, left, width) each, zeros before the first, which no query
    sees; and the number of frames so far.
    """

    def __init__(self, width: int, heads: int, left: int) -> None:
        super().__init__()
        self.width, self.heads, self.left = width, heads, left
        self.inputs = Dense(width, 3 * width)  # queries, keys, values
        self.positions = nn.Parameter(_sinusoids_through_a_layer(left, width))
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.position_bias = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.output = Dense(width, width)

    def start(self, batch: int) -> AttentionState:
        nothing = self.positions.new_zeros(batch, self.left, self.width)
        return nothing, nothing, 0

    def step(self, x: Tensor, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """(B, k, width) and the state before -> (B, k, width) and the state after."""
        queries, keys, values = self.inputs(x).chunk(3, dim=2)
        past_keys, past_values, count = state
        keys, values = torch.cat([past_keys, keys], dim=1), torch.cat([past_values, values], dim=1)
        found = []
        for i, some in enumerate(queries.split(self.left, dim=1)):
            window = slice(i * self.left, i * self.left + self.left + some.shape[1])
            found.append(self._attend(some, keys[:, window], values[:, window], count + i * self.left))
        k = x.shape[1]
        return self.output(torch.cat(found, dim=1)), (keys[:, k:], values[:, k:], count + k)

    def macs(self, n_frames: int) -> int:
        """Multiply-accumulates of frames that come at once: a group scores every key that one of it sees."""
        groups = [self.left] * (n_frames // self.left) + [n_frames % self.left]
        products = sum(n * (2 * (self.left + n) + self.left + 1) for n in groups)
        return self.inputs.macs(n_frames) + self.output.macs(n_frames) + products * self.width

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, count: int) -> Tensor:
        """(B, n, width) queries, (B, left + n, width) keys and values, and the frames before them -> (B, n, width)."""
        q, k, v = (self._by_head(x) for x in (queries, keys, values))
        content = (q + self.content_bias) @ k.transpose(2, 3)  # (B, H, n, left + n)
        place = (q + self.position_bias) @ self._by_head(self.positions[None]).transpose(2, 3)  # (B, H, n, left + 1)
        scores = (content + _aligned_with_keys(place)) / math.sqrt(q.shape[3])
        seen = self._seen(queries.shape[1], count, queries.device)
        weights = scores.masked_fill(~seen, -math.inf).softmax(dim=3)
        return (weights @ v).transpose(1, 2).flatten(2)

    def _seen(self, n: int, count: int, device: torch.device) -> Tensor:
        """(n, left + n): which keys each query sees, none from before the first frame."""
        query, key = torch.arange(n, device=device)[:, None], torch.arange(self.left + n, device=device)
        back = query + self.left - key
        return (back >= 0) & (back <= self.left) & (back <= query + count)

    def _by_head(self, x: Tensor) -> Tensor:
        batch, n, width = x.shape
        return x.view(batch, n, self.heads, width // self.heads).transpose(1, 2)  # (B, H, n, width / H)


def _aligned_with_keys(place: Tensor) -> Tensor:
    """(B, H, n, left + 1) scores by place -> (B, H, n, left + n) by key: row i moves i columns to the right.

    What stands beside them belongs to keys that the row does not see.
    """
    batch, heads, n, places = place.shape
    width = places + n - 1
    return pad(place, (0, n)).flatten(2)[:, :, : n * width].view(batch, heads, n, width)


def _sinusoids_through_a_layer(left: int, width: int) -> Tensor:
    """(left + 1, width) vectors of places, from ``left`` frames back to the present: sinusoids through a random layer.

    Transformer-XL keeps the layer and learns it. Over a bounded past its output is this table, which is learned here
    directly: a stream then multiplies no sinusoids.
    """
    back = torch.arange(left, -1, -1.0)[:, None]
    angles = back * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    sinusoids = torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
    return sinusoids @ torch.empty(width, width).uniform_(-1.0, 1.0) / math.sqrt(width)
