"""Draws that are the same everywhere and for ever: hashes of a key, no generator with a state."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draws:
    """A source of draws; the same seed and key give the same draw, in any order."""

    seed: str

    def unit(self, *key: object) -> float:
        """Uniform in [0, 1), with 53 bits."""
        text = "\0".join((self.seed, *map(str, key)))
        return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53

    def between(self, low: float, high: float, *key: object) -> float:
        return low + (high - low) * self.unit(*key)

    def whole(self, low: int, high: int, *key: object) -> int:
        """Uniform among low..high, both included."""
        return low + int((high - low + 1) * self.unit(*key))

    def pick(self, items: Sequence[T], *key: object) -> T:
        return items[self.whole(0, len(items) - 1, *key)]

    def shuffled(self, items: Sequence[T], *key: object) -> list[T]:
        order = sorted(range(len(items)), key=lambda index: self.unit(*key, index))
        return [items[index] for index in order]
