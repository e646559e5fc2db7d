"""Rooms to talk in: impulse responses of shoebox rooms by the image method (Allen and Berkley 1979).

Every wall reflects alike, by the reverberation time after Sabine. The direct sound is at sample 0, so that turns keep
their times, and the energy is 1, so that on the whole they keep their levels.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SOUND_M_PER_S = 343.0
SABINE_S_PER_M = 0.161
N_ROOMS = 32
N_POSITIONS = 5
"""Where speakers can stand in a room."""
LONGEST_S = 0.3
_SIZES_M = ((3.0, 8.0), (3.0, 6.0), (2.4, 3.5))
_REVERBERATION_S = (0.1, 0.4)
_APART_M = 0.5
_WALL_M = 0.3


@dataclass(frozen=True, slots=True)
class Room:
    """Length, width and height in meters, and the seconds in which sound decays by 60 dB."""

    size_m: tuple[float, float, float]
    reverberation_s: float

    @property
    def absorption(self) -> float:
        """Of the walls, by Sabine: 0.161 V / (S T), at most 1."""
        x, y, z = self.size_m
        surface = 2 * (x * y + y * z + z * x)
        return min(1.0, SABINE_S_PER_M * x * y * z / (surface * self.reverberation_s))


@lru_cache(maxsize=4 * N_ROOMS * N_POSITIONS)
def response(key: str, number: int, position: int, rate_hz: int) -> NDArray[np.float32]:
    """The response (n,) of room ``number`` of those called ``key``, from one of its positions to its microphone."""
    room, microphone, sources = _drawn(key, number)
    return impulse_response(room, sources[position % N_POSITIONS], microphone, rate_hz)


def impulse_response(
    room: Room,
    source_m: NDArray[np.float64],
    microphone_m: NDArray[np.float64],
    rate_hz: int,
    length_s: float = LONGEST_S,
) -> NDArray[np.float32]:
    """The response (n,) between two points (3,), from the direct sound on, n = length_s * rate_hz; energy 1."""
    delays_s, gains = images(room, source_m, microphone_m, length_s)
    at = np.rint((delays_s - delays_s.min()) * rate_hz).astype(np.int64)
    n = round(length_s * rate_hz)
    heard = np.bincount(at[at < n], gains[at < n], minlength=n)
    return (heard / math.sqrt(float(heard @ heard))).astype(np.float32)


def images(
    room: Room, source_m: NDArray[np.float64], microphone_m: NDArray[np.float64], length_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Delay (k,) in seconds and gain (k,) of every image of the source up to ``length_s`` after the direct sound."""
    size = np.array(room.size_m)
    farthest = SOUND_M_PER_S * length_s + float(np.linalg.norm(size))
    axes = [_images_along(size[d], source_m[d], microphone_m[d], farthest) for d in range(3)]
    (x, nx), (y, ny), (z, nz) = axes
    squared = (x**2)[:, None, None] + (y**2)[:, None] + z**2
    order = nx[:, None, None] + ny[:, None] + nz
    near = squared <= farthest**2
    distance = np.sqrt(squared[near])
    reflection = math.sqrt(1.0 - room.absorption)
    return distance / SOUND_M_PER_S, np.power(reflection, order[near]) / (4 * np.pi * distance)


def _images_along(
    length: float, source: float, microphone: float, farthest: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Along one axis: how far the images lie from the microphone, and how often each was reflected."""
    n = np.arange(-math.ceil(farthest / (2 * length)) - 1, math.ceil(farthest / (2 * length)) + 2)
    straight, mirrored = source + 2 * n * length, -source + 2 * n * length
    offsets = np.concatenate([straight, mirrored]) - microphone
    return offsets, np.concatenate([np.abs(2 * n), np.abs(2 * n - 1)])


@lru_cache(maxsize=4 * N_ROOMS)
def _drawn(key: str, number: int) -> tuple[Room, NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """A room, its microphone, and where speakers stand, at least half a meter from it."""
    seed = int.from_bytes(hashlib.sha256(f"room|{key}|{number}".encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    low, high = np.array(_SIZES_M).T
    size = low + (high - low) * rng.random(3)
    shortest, longest = _REVERBERATION_S
    room = Room((float(size[0]), float(size[1]), float(size[2])), shortest + (longest - shortest) * rng.random())
    microphone = _inside(size, rng)
    sources: list[NDArray[np.float64]] = []
    while len(sources) < N_POSITIONS:
        point = _inside(size, rng)
        if np.linalg.norm(point - microphone) >= _APART_M:
            sources.append(point)
    return room, microphone, tuple(sources)


def _inside(size: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(_WALL_M + (size - 2 * _WALL_M) * rng.random(3), dtype=np.float64)
