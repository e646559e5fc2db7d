"""What training does to a recording so that one recording is many: speed, level, noise, masks (SpecAugment).

Every draw comes from the generator that is handed in, so a step of training can be repeated exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from earmark.bench.api import Samples


@dataclass(frozen=True, slots=True)
class WaveAugment:
    """Chances and ranges; all zero leaves the samples as they are."""

    speed: float = 0.1
    """Played at a speed drawn from 1 - speed to 1 + speed (Ko et al. 2015 draw from three)."""
    gain_db: float = 6.0
    """Level changed by up to this, either way."""
    noise_chance: float = 0.3
    snr_db: tuple[float, float] = (10.0, 40.0)
    """Signal-to-noise ratio of the noise that is added, drawn from this range."""

    def __call__(self, samples: Samples, rng: Generator) -> Samples:
        """(n,) -> (m,) samples, m as the speed says. Always draws as many numbers."""
        speed, gain, chance, level, tilt, seed = rng.random(6)
        heard = change_speed(samples, 1.0 + self.speed * (2.0 * speed - 1.0))
        if chance < self.noise_chance:
            low, high = self.snr_db
            noise = colored_noise(len(heard), tilt, np.random.default_rng(int(seed * 2**32)))
            heard = heard + noise * np.float32(
                math.sqrt(_power(heard) * 10.0 ** (-(low + (high - low) * level) / 10.0))
            )
        loudness = 10.0 ** (self.gain_db * (2.0 * gain - 1.0) / 20.0)
        return (heard * np.float32(loudness)).astype(np.float32)


NONE = WaveAugment(speed=0.0, gain_db=0.0, noise_chance=0.0)


def change_speed(samples: Samples, speed: float) -> Samples:
    """(n,) -> (n / speed,) samples by linear interpolation: tempo and pitch change together."""
    if speed == 1.0 or len(samples) < 2:
        return samples
    n = max(2, round(len(samples) / speed))
    played = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(samples))[None, None], size=n, mode="linear", align_corners=True
    )
    return cast("Samples", played[0, 0].numpy())


def colored_noise(n: int, tilt: float, rng: Generator) -> NDArray[np.float32]:
    """(n,) noise of power 1: white at ``tilt`` 0, falling by 6 dB an octave (from 100 Hz at 16 kHz) at 1."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(max(n, 2), real=True)
    spectrum = rfft(rng.standard_normal(size, dtype=np.float32))
    place = np.maximum(np.linspace(0.0, 1.0, len(spectrum), dtype=np.float32), 0.0125)
    noise = irfft(spectrum * place ** np.float32(-tilt), size)[:n]
    return cast("NDArray[np.float32]", noise / np.float32(math.sqrt(max(_power(noise), 1e-12))))


def _power(samples: NDArray[np.floating]) -> float:
    return float(np.vdot(samples, samples)) / len(samples) if len(samples) else 0.0


@dataclass(frozen=True, slots=True)
class SpecAugment:
    """Masks over frames and bands (Park et al. 2019, section 2), their number adapted to the length (Park et al. 2020).

    Defaults are those of ConvRNN-T, section 4: two masks of at most 0.34 of the bands; as many masks over time as
    0.04 of the frames, each of at most 0.04 of them (and at least one frame).
    """

    n_band_masks: int = 2
    band_share: float = 0.34
    time_multiplicity: float = 0.04
    time_share: float = 0.04

    def draw(self, n_frames: int, n_bands: int, rng: Generator) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Masked stretches (first, behind the last) over frames and over bands, for a recording of ``n_frames``."""
        n_time = round(self.time_multiplicity * n_frames)
        time = [_stretch(n_frames, max(1, round(self.time_share * n_frames)), rng) for _ in range(n_time)]
        bands = [_stretch(n_bands, round(self.band_share * n_bands), rng) for _ in range(self.n_band_masks)]
        return time, bands


MILD = SpecAugment(n_band_masks=1, band_share=0.2)
"""For a small model that sees a few thousand short recordings a few times."""


def _stretch(size: int, widest: int, rng: Generator) -> tuple[int, int]:
    width = int(rng.integers(0, min(widest, size) + 1))
    first = int(rng.integers(0, size - width + 1))
    return first, first + width


def kept(stretches: list[list[tuple[int, int]]], size: int) -> Tensor:
    """(B, size), False in the stretches of each row."""
    keep = torch.ones(len(stretches), size, dtype=torch.bool)
    for row, masked in zip(keep, stretches, strict=True):
        for first, behind in masked:
            row[first:behind] = False
    return keep
