"""Causal attention with gates: all of it, masked, in training; in a stream only what is switched on.

A query that is off costs no projection and no row of attention, and its head gives zeros; a key that is off is never
projected and never enters the cache (https://arxiv.org/abs/2207.02393, section 3). Heads thus have caches of different
lengths; where no gate tells them apart, all heads share one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.models._blocks.gates import BlockGates, Frames
from earmark.models._blocks.key_cache import KeyCache
from earmark.models._blocks.rope import Rotary, Turn

SMALLEST_SUM = 1e-4
"""Of soft gates over a row: below it weights shrink to zero instead of growing without bound."""


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

    @property
    def from_the_start(self) -> bool:
        """Whether every frame may see all that came before it."""
        return self.first + self.n <= self.context

    def hidden(self, own: Tensor, times: Tensor) -> Tensor:
        """(m, n) bools: whether frames at (m, 1) times may not see those at (n,) times."""
        later = times > own
        return later if self.from_the_start else later | (times <= own - self.context)


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
        allowed = None if gates is None and sight.from_the_start else ~sight.hidden(sight.times[:, None], sight.times)
        if gates is None or allowed is None:
            heard = functional.scaled_dot_product_attention(query, key, value, allowed, is_causal=allowed is None)
        else:
            heard = gated_attention(query, key, value, allowed, gates.key.transpose(1, 2))
            heard = heard * gates.query.transpose(1, 2)[..., None]
        return heard.transpose(1, 2).reshape(batch, n, self.width) @ self.output

    # --- what is on -----------------------------------------------------------------------------------------------

    def start(self) -> list[KeyCache]:
        return [KeyCache(self.group, self.head, self.output) for _ in range(self.heads // self.group)]

    def step(
        self, x: Tensor, y: Tensor, on: tuple[Frames, Frames], caches: list[KeyCache], sight: Sight,
        work: Counter[str],
    ) -> Tensor:  # fmt: skip
        """Add to (k, D) frames, in place, what attention finds from their normalized form ``y`` (k, D).

        ``on`` are the frames whose queries are on, group of heads by group, and those whose keys are. The caches change
        in place; ``work`` is added to.
        """
        queries, keys = on
        if len(keys):
            self._remember(y, keys, caches, sight)
            work["key"] += len(keys) * self.group * self.projection_macs
        cells = [n * len(cache) for n, cache in zip(queries.counts, caches, strict=True)]
        if any(cells):
            x = self._look(x, y, queries, caches, sight)
            asking = sum(n for n, of_it in zip(queries.counts, cells, strict=True) if of_it)
            work["query"] += asking * self.group * self.projection_macs
            work["attention"] += sum(cells) * self.group * self.cell_macs
        for cache in caches:
            cache.forget(sight.first + sight.n - sight.context + 1)
        return x

    def _remember(self, y: Tensor, frames: Frames, caches: list[KeyCache], sight: Sight) -> None:
        both = self._projected(y, frames, frames.counts, self.key_value)
        pairs = both.view(-1, self.group, 2, self.head).permute(2, 1, 0, 3)  # (2, heads, n, E)
        self.rotary.turn_(pairs[0], frames.of(sight.turn))
        parts = (frames.split(pairs, 2), frames.split(frames.of(sight.times)))
        for cache, numbers, part, times in zip(caches, frames.numbers, *parts, strict=True):
            if numbers:
                cache.add(part, times, numbers)

    def _look(self, x: Tensor, y: Tensor, frames: Frames, caches: list[KeyCache], sight: Sight) -> Tensor:
        """``x`` with what each group of heads finds; one whose cache is empty finds nothing, and asks nothing."""
        wanted = [n if len(cache) else 0 for n, cache in zip(frames.counts, caches, strict=True)]
        query = self._projected(y, frames, wanted, self.query).view(-1, self.group, self.head).transpose(0, 1)
        queries = frames.split(self.rotary.turn_(query, frames.of(sight.turn)), 1)  # (heads, n, E) each
        times, outputs = frames.split(frames.of(sight.times[:, None])), self.output.view(len(wanted), -1, self.width)
        if frames.index is None:
            for place in (place for place, n in enumerate(wanted) if n):
                heard = self._heard(queries[place], times[place], frames.numbers[place], caches[place], sight)
                x = torch.addmm(x, heard, outputs[place])
            return x
        found = x.new_empty(len(frames), self.width)
        for place, part in enumerate(frames.split(found)):
            if wanted[place]:
                heard = self._heard(queries[place], times[place], frames.numbers[place], caches[place], sight)
                torch.mm(heard, outputs[place], out=part)
            else:
                part.zero_()
        return frames.add(x, found)

    def _projected(self, y: Tensor, frames: Frames, wanted: list[int], layer: nn.Linear) -> Tensor:
        """(n, width of a group): each group of heads from its own frames; nothing is written where 0 are wanted."""
        if len(wanted) == 1:
            return functional.linear(frames.of(y), layer.weight, layer.bias)
        weights, biases = layer.weight.view(len(wanted), -1, self.width), layer.bias.view(len(wanted), -1)
        found = y.new_empty(len(frames), biases.shape[1])
        parts = (frames.split(frames.of(y)), frames.split(found))
        of_each = zip(wanted, *parts, weights.transpose(1, 2).unbind(), biases.unbind(), strict=True)
        for n, rows, out, weight, bias in of_each:
            if n:
                torch.addmm(bias, rows, weight, out=out)
        return found

    def _heard(self, query: Tensor, times: Tensor, numbers: list[int], cache: KeyCache, sight: Sight) -> Tensor:
        """(n, heads * E): what (heads, n, E) queries find in the cache; zeros where nothing in it may be seen."""
        keys, values = cache.pairs.unbind()
        if sight.n == 1:  # everything that is still held may be seen
            return functional.scaled_dot_product_attention(query[None], keys[None], values[None]).view(1, -1)
        hidden = sight.hidden(times, cache.times)
        logits = torch.baddbmm(query[:, :, :1], query, keys.transpose(1, 2), beta=0.0, alpha=self.head**-0.5)
        found = torch.bmm(logits.masked_fill_(hidden, -math.inf).softmax(dim=2), values)
        if not sight.from_the_start:
            found.masked_fill_(hidden.all(dim=1)[:, None], 0.0)
        elif numbers[0] < cache.held[0]:
            found[:, : bisect_left(numbers, cache.held[0])] = 0.0
        return found.transpose(0, 1).reshape(len(numbers), -1)

    # --- what it takes --------------------------------------------------------------------------------------------

    @property
    def projection_macs(self) -> int:
        """Of one head and frame: its query and its part of the output, or its key and its value."""
        return 2 * self.width * self.head

    @property
    def cell_macs(self) -> int:
        """Of one head, one query and one key: their product, and the value's share."""
        return 2 * self.head
