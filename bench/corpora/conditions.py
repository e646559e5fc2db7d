"""Hearing a corpus at a condition: ``clean``, or in noise at a stated signal-to-noise ratio (``snr10``, ``snr0``).

The noise is stationary and speech-shaped: flat between about 80 and 530 Hz, falling 6 dB per octave on either side.
It is made on the fly, the same for the same utterance, condition and seed, and scaled so that the
ratio of the two powers **over the speech-active frames** is exact. A frame of 20 ms is active if its energy is within
30 dB of the loudest one's; pauses and padding so do not dilute the speech. Noise also fills the pauses.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.bench.api import InputError

if TYPE_CHECKING:
    from earmark.bench.api import Samples

FRAME = 320
"""Samples in a frame of 20 ms at 16 kHz."""
ACTIVE_DB = 30.0
LOWEST_DB, HIGHEST_DB = -30.0, 60.0


def parse_condition(name: str) -> float | None:
    """The signal-to-noise ratio of a condition in dB, None for ``clean``.

    >>> parse_condition("snr10"), parse_condition("snr-5"), parse_condition("clean")
    (10.0, -5.0, None)
    """
    if name == "clean":
        return None
    match = re.fullmatch(r"snr(-?\d+(?:\.\d+)?)", name)
    if match is None or not LOWEST_DB <= float(match[1]) <= HIGHEST_DB:
        fix = f"use clean, snr10, snr0, snr-5 or any snr<dB> from {LOWEST_DB:g} to {HIGHEST_DB:g}"
        raise InputError(f"unknown condition {name!r}", fix=fix)
    return float(match[1])


def apply_condition(samples: Samples, condition: str, *, utterance_id: str, seed: int = 0) -> Samples:
    """Samples (n,) at 16 kHz as heard at ``condition``, float32.

    Where the sum would pass full scale, speech and noise are turned down together. Digital silence has no ratio to
    anything and comes back as it is.
    """
    snr_db = parse_condition(condition)
    if snr_db is None:
        return samples
    speech = samples.astype(np.float64)
    active = active_samples(speech)
    if not active.any():
        return samples
    noise = speech_shaped_noise(len(speech), f"{seed}|{condition}|{utterance_id}")
    heard = speech + noise * gain_for(speech[active], noise[active], snr_db)
    return (heard / max(1.0, float(np.abs(heard).max()))).astype(np.float32)


def gain_for(speech: NDArray[np.float64], noise: NDArray[np.float64], snr_db: float) -> float:
    """The factor on ``noise`` (n,) that puts it ``snr_db`` below ``speech`` (n,)."""
    return math.sqrt(_energy(speech) / _energy(noise) / 10 ** (snr_db / 10))


def active_samples(samples: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples (n,) lie in active frames; none in digital silence. The last frame may be short."""
    starts = np.arange(0, len(samples), FRAME)
    sizes = np.diff(np.append(starts, len(samples)))
    energy = np.add.reduceat(samples * samples, starts) / sizes
    loudest = float(energy.max())
    active = (energy >= loudest / 10 ** (ACTIVE_DB / 10)) & (energy > 0)
    return np.repeat(active, sizes)


def speech_shaped_noise(n: int, key: str) -> NDArray[np.float64]:
    """Noise (n,) of the speech-like spectrum above, in arbitrary units; the same for the same key everywhere.

    The draws are raw bits of PCG64, whose stream NumPy guarantees, summed four at a time to a bell shape; the filter
    has coefficients that floats hold exactly.
    """
    from scipy.signal import lfilter

    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    bits: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(n + _SETTLE)
    quarters = bits.astype("<u8").view("<u2").reshape(4, -1)
    white = quarters.sum(axis=0, dtype=np.int64) - 131_070  # four draws of 0..65535, centered
    low = lfilter([1.0], [1.0, -0.8125], white.astype(np.float64))  # corner at 530 Hz
    shaped = lfilter([1.0, -1.0], [1.0, -0.96875], low)  # corner at 80 Hz
    return np.asarray(shaped[_SETTLE:], dtype=np.float64)


_SETTLE = 512  # the filter starts from zero; by then it has forgotten


def _energy(values: NDArray[np.float64]) -> float:
    return math.fsum((values * values).tolist())
