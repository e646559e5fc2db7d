"""Causal attention with gates: all of it, masked, in training; in a stream only what is switched on.

A query that is off costs no projection and no row of attention, and its head gives zeros; a key that is off is never
projected and never enters the cache (https://arxiv.org/abs/2207.02393, section 3). Heads thus have caches of different
lengths; where no gate tells them apart, all heads share one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.models._blocks.gates import BlockGates, Frames
from earmark.models._blocks.rope import Rotary, Turn

SMALLEST_SUM = 1e-4
"""Of soft gates over a row: below it weights shrink to zero instead of growing without bound."""
FIRST_CAPACITY = 16


def gated_attention(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, keys_on: Tensor) -> Tensor:
    """Attention in which key j counts ``keys_on[j]`` times: weights exp(logit - max) * s_j over their sum.

    With soft gates that adds ln s_j to the logits of *column* j (the paper prints the index of the row, which softmax
    cancels). With hard gates no logarithm of 0 is taken, and a row whose keys are all off gives zeros. Values are
    multiplied too, as in the paper's footnote.

    Args:
        query, key, value: (B, H, T, E).
        allowed: (T, T) bools, row by row the keys that a query may see.
        keys_on: (B, H, T) from 0 to 1.
    """
    logits = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])  # (B, H, T, T)
    on = keys_on[:, :, None]
    heard = allowed & (on > 0)
    highest = logits.detach().masked_fill(~heard, -math.inf).amax(dim=3, keepdim=True)
    highest = highest.masked_fill(highest == -math.inf, 0.0)
    # a key that is off may have a higher logit than all that are on: it learns as if it were as high as they are
    weights = (logits - highest).clamp(max=0.0).exp() * on * allowed
    total = weights.sum(dim=3, keepdim=True)
    total = torch.where(heard.any(dim=3, keepdim=True), total.clamp(min=SMALLEST_SUM), 1.0)
    return (weights / total) @ (value * keys_on[..., None])


class KeyCache:
    """Keys and values of some heads that share their gates, oldest first: (heads, n, E) each, and their frames.

    ``held`` are the numbers of the frames. Room for more is made by doubling, or by moving down what was kept; what
    fills an empty cache beyond its room is taken as it is.
    """

    def __init__(self, heads: int, width: int, like: Tensor) -> None:
        self.stores = (like.new_empty(heads, FIRST_CAPACITY, width), like.new_empty(heads, FIRST_CAPACITY, width))
        self.frames = torch.empty(FIRST_CAPACITY, dtype=torch.long, device=like.device)
        self.held: deque[int] = deque()
        self.first = 0

    def __len__(self) -> int:
        return len(self.held)

    @property
    def keys(self) -> Tensor:
        return self.stores[0][:, self.first : self.first + len(self.held)]

    @property
    def values(self) -> Tensor:
        return self.stores[1][:, self.first : self.first + len(self.held)]

    @property
    def times(self) -> Tensor:
        return self.frames[self.first : self.first + len(self.held)]

    def add(self, keys: Tensor, values: Tensor, times: Tensor, frames: list[int]) -> None:
        """(heads, n, E) keys and values of these frames, whose numbers come as a tensor (n,) too."""
        if not self.held and len(frames) > self.frames.shape[0]:
            self.stores, self.frames, self.first = (keys, values), times, 0
        else:
            begin = self._room(len(frames))
            end = begin + len(frames)
            self.stores[0][:, begin:end] = keys
            self.stores[1][:, begin:end] = values
            self.frames[begin:end] = frames[0] if len(frames) == 1 else times
        self.held.extend(frames)

    def forget(self, before: int) -> None:
        """Let go of frames earlier than ``before``."""
        while self.held and self.held[0] < before:
            self.held.popleft()
            self.first += 1

    def _room(self, n: int) -> int:
        """Where ``n`` more begin."""
        kept, capacity = len(self.held), self.frames.shape[0]
        if self.first + kept + n > capacity:
            size = max(FIRST_CAPACITY, 2 ** math.ceil(math.log2(2 * (kept + n))))
            keys, values, times = self.keys, self.values, self.times
            heads, _, width = keys.shape
            self.stores = (keys.new_empty(heads, size, width), keys.new_empty(heads, size, width))
            self.frames, self.first = times.new_empty(size), 0
            self.stores[0][:, :kept], self.stores[1][:, :kept], self.frames[:kept] = keys, values, times
        return self.first + kept


@dataclass(frozen=True, slots=True)
class Sight:
    """Frames ``first`` to ``first + n`` on their way through the blocks: their turns, their numbers (n,), and how far
    back each may look, itself included.
    """

    turn: Turn
    times: Tensor
    first: int
    context: int

    @property
    def n(self) -> int:
        return len(self.times)

    def allowed(self, own: Tensor, times: Tensor) -> Tensor:
        """(m, n) bools: whether frames at (m,) times may see those at (n,) times."""
        before = times <= own[:, None]
        if self.first + self.n <= self.context:
            return before
        return before & (times > own[:, None] - self.context)


class GatedAttention(nn.Module):
    """(B, T, D) -> (B, T, D) with ``heads`` heads of D / heads; the output projection has no bias, so that heads which
    are off add nothing.

    State of a stream: for each group of heads a :class:`KeyCache`.
    """

    def __init__(self, width: int, heads: int, *, per_head: bool) -> None:
        super().__init__()
        self.width, self.heads, self.head = width, heads, width // heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)  # rows: of each head the key, then the value
        self.output = nn.Parameter(torch.empty(width, width))  # (inputs, outputs): the rows of a head lie together
        nn.init.uniform_(self.output, -1.0 / math.sqrt(width), 1.0 / math.sqrt(width))
        self.rotary = Rotary(self.head)
        self.group = 1 if per_head else heads

    # --- all of it ------------------------------------------------------------------------------------------------

    def forward(self, y: Tensor, sight: Sight, gates: BlockGates | None = None) -> Tensor:
        """(B, T, D) normalized frames -> (B, T, D); everything is computed, and what is off is masked."""
        batch, n = y.shape[:2]
        query = self.query(y).view(batch, n, self.heads, self.head).transpose(1, 2)  # (B, H, T, E)
        key, value = self.key_value(y).view(batch, n, self.heads, 2, self.head).permute(3, 0, 2, 1, 4)
        query, key = self.rotary(query, sight.turn), self.rotary(key, sight.turn)
        allowed = sight.allowed(sight.times, sight.times)
        if gates is None:
            heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        else:
            heard = gated_attention(query, key, value, allowed, gates.key.transpose(1, 2))
            heard = heard * gates.query.transpose(1, 2)[..., None]
        return heard.transpose(1, 2).reshape(batch, n, self.width) @ self.output

    # --- what is on -----------------------------------------------------------------------------------------------

    def start(self) -> list[KeyCache]:
        return [KeyCache(self.group, self.head, self.output) for _ in range(self.heads // self.group)]

    def step(
        self, x: Tensor, y: Tensor, on: tuple[list[Frames], list[Frames]], caches: list[KeyCache], sight: Sight,
        work: Counter[str],
    ) -> Tensor:  # fmt: skip
        """Add to (k, D) frames, in place, what attention finds from their normalized form ``y`` (k, D).

        ``on`` are, for each group of heads, the frames whose queries are on, and those whose keys are. The caches
        change in place; ``work`` is added to.
        """
        for place, (cache, queries, keys) in enumerate(zip(caches, *on, strict=True)):
            heads = slice(place * self.group, (place + 1) * self.group)
            if keys:
                self._remember(y, keys, heads, cache, sight)
                work["key"] += len(keys) * self.group * self.projection_macs
            if queries and len(cache):
                x = self._look(x, y, queries, heads, cache, sight)
                work["query"] += len(queries) * self.group * self.projection_macs
                work["attention"] += len(queries) * len(cache) * self.group * self.cell_macs
            cache.forget(sight.first + sight.n - sight.context + 1)
        return x

    def _remember(self, y: Tensor, frames: Frames, heads: slice, cache: KeyCache, sight: Sight) -> None:
        rows = slice(2 * heads.start * self.head, 2 * heads.stop * self.head)
        both = functional.linear(frames.of(y), self.key_value.weight[rows], self.key_value.bias[rows])
        key, value = both.view(len(frames), self.group, 2, self.head).permute(2, 1, 0, 3)  # (heads, n, E) each
        key = self.rotary.turn_(key, frames.of(sight.turn))
        times = sight.times if sight.n == 1 else frames.of(sight.times)
        cache.add(key, value, times, [sight.first + t for t in frames.numbers])

    def _look(self, x: Tensor, y: Tensor, frames: Frames, heads: slice, cache: KeyCache, sight: Sight) -> Tensor:
        rows, n = slice(heads.start * self.head, heads.stop * self.head), len(frames)
        query = functional.linear(frames.of(y), self.query.weight[rows], self.query.bias[rows])
        query = query.view(n, self.group, self.head).transpose(0, 1)  # (heads, n, E)
        query = self.rotary.turn_(query, frames.of(sight.turn))
        heard = self._heard(query, frames, cache, sight).transpose(0, 1).reshape(n, -1)
        if frames.index is None:
            return torch.addmm(x, heard, self.output[rows])
        return frames.add(x, heard @ self.output[rows])

    def _heard(self, query: Tensor, frames: Frames, cache: KeyCache, sight: Sight) -> Tensor:
        """What (heads, n, E) queries find in the cache; zeros where nothing in it may be seen."""
        if sight.n == 1:  # everything that is still held may be seen
            return functional.scaled_dot_product_attention(query[None], cache.keys[None], cache.values[None])[0]
        allowed = sight.allowed(frames.of(sight.times), cache.times)
        logits = torch.where(allowed, 0.0, -math.inf).expand(len(query), -1, -1)
        logits = torch.baddbmm(logits, query, cache.keys.transpose(1, 2), alpha=1.0 / math.sqrt(query.shape[-1]))
        found = logits.softmax(dim=2) @ cache.values
        if sight.first + sight.n > sight.context:
            return torch.where(allowed.any(dim=1)[:, None], found, 0.0)
        n_too_early = bisect_left(frames.numbers, cache.held[0] - sight.first)
        found[:, :n_too_early] = 0.0
        return found

    # --- what it takes --------------------------------------------------------------------------------------------

    @property
    def projection_macs(self) -> int:
        """Of one head and frame: its query and its part of the output, or its key and its value."""
        return 2 * self.width * self.head

    @property
    def cell_macs(self) -> int:
        """Of one head, one query and one key: their product, and the value's share."""
        return 2 * self.head
