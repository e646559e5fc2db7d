"""Sounds to test with: two short utterances of speech, and a seeded substitute where no speech can be made."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import Unsupported
from earmark.bench.corpora.audio import SAMPLE_RATE_HZ, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earmark.bench.api import Samples

MAX_AUDIO_S = 10.0
"""Of a recording given by hand, what the checks use."""
_TEXTS = (
    (150, 35, "please set the alarm for seven thirty tomorrow morning"),
    (190, 75, "turn on the kitchen lights and play some music"),
)


@cache
def utterances(rate_hz: int) -> tuple[Samples, Samples, str]:
    """Two different utterances of 3 to 6 s, float32 at ``rate_hz``, and what they are made of."""
    try:
        if find_spec("espeakng_loader") is None:
            raise Unsupported("espeakng-loader is not installed")
        first, second = _spoken()
        source = "espeak-ng speech"
    except (Unsupported, OSError, RuntimeError):
        first, second = _babble(1), _babble(2)
        source = "a seeded speech-like signal"
    return at_rate(first, rate_hz), at_rate(second, rate_hz), source


def at_rate(samples: NDArray[Any], rate_hz: int) -> Samples:
    """16 kHz samples (n,) at another rate, as contiguous float32."""
    return np.ascontiguousarray(resample(samples.astype(np.float64), SAMPLE_RATE_HZ, rate_hz), dtype=np.float32)


def noise(rate_hz: int, seconds: float, *, seed: int) -> Samples:
    """White noise at -20 dBFS: no two stretches of it are alike."""
    n = max(1, round(rate_hz * seconds))
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).clip(-1, 1).astype(np.float32)


def _spoken() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from earmark.bench.corpora.synthetic.engine import Engine, Prompt
    from earmark.bench.corpora.synthetic.espeak import RATE_HZ

    with Engine() as engine:
        said = list(engine.say("en-us", [Prompt(text, rate, pitch, 50) for rate, pitch, text in _TEXTS]))
    pause = np.zeros(SAMPLE_RATE_HZ * 7 // 10)
    heard = [resample(speech.samples / 32768.0, RATE_HZ, SAMPLE_RATE_HZ) for speech in said]
    return np.concatenate([heard[0], pause]), np.concatenate([heard[1], pause])


def _babble(seed: int) -> NDArray[np.float64]:
    """Five seconds at 16 kHz of harmonics that glide in pitch, in syllables with pauses, over a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(5 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    pitch_hz = 110 * seed + 30 * np.sin(2 * np.pi * 0.7 * t + seed)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    color = rng.uniform(0.2, 1.0, size=(25, 12))[(t * 5).astype(int) % 25]  # (n, 12): a new vowel every 200 ms
    voice = sum(color[:, k] * np.sin((k + 1) * phase) / (k + 1) for k in range(12))
    syllables = np.clip(np.sin(2 * np.pi * (3 + seed / 2) * t) + 0.3, 0, 1) * (np.sin(2 * np.pi * 0.4 * t) > -0.7)
    return np.asarray(0.1 * syllables * voice + 0.002 * rng.standard_normal(len(t)))
