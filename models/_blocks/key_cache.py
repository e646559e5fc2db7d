"""What attention keeps of a stream: the keys and values of frames that later ones may see."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

FIRST_CAPACITY = 16


class KeyCache:
    """Keys and values of some heads that share their gates, oldest first: (heads, n, E) each, and their frames.

    ``held`` are the numbers of the frames. Room for more is made by doubling, or by moving down what was kept; what
    fills an empty cache beyond its room is taken as it is.
    """

    def __init__(self, heads: int, width: int, like: Tensor) -> None:
        self.store = like.new_empty(2, heads, FIRST_CAPACITY, width)
        self.frames = torch.empty(FIRST_CAPACITY, dtype=torch.long, device=like.device)
        self.held: deque[int] = deque()
        self.first = 0

    def __len__(self) -> int:
        return len(self.held)

    @property
    def pairs(self) -> Tensor:
        """(2, heads, n, E): the keys, then the values."""
        return self.store[:, :, self.first : self.first + len(self.held)]

    @property
    def times(self) -> Tensor:
        return self.frames[self.first : self.first + len(self.held)]

    def add(self, pairs: Tensor, times: Tensor, frames: list[int]) -> None:
        """(2, heads, n, E) keys and values of these frames, whose numbers come as a tensor (n,) too."""
        if not self.held and len(frames) > self.frames.shape[0]:
            self.store, self.frames, self.first = pairs, times, 0
        else:
            begin = self._room(len(frames))
            end = begin + len(frames)
            self.store[:, :, begin:end] = pairs
            if len(frames) == 1:
                self.frames[begin:end].fill_(frames[0])
            else:
                self.frames[begin:end] = times
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
            pairs, times = self.pairs, self.times
            self.store, self.frames = pairs.new_empty(*pairs.shape[:2], size, pairs.shape[3]), times.new_empty(size)
            self.store[:, :, :kept], self.frames[:kept], self.first = pairs, times, 0
        return self.first + kept
