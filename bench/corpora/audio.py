"""From a row to samples: any format soundfile reads, any rate and channel count in, 16 kHz mono out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench.api import InputError

if TYPE_CHECKING:
    from earmark.bench.api import Samples

SAMPLE_RATE_HZ = 16_000
"""The rate of everything that models hear."""


def decode(row: Mapping[str, Any]) -> Samples:
    """The row's recording as (n,) float32 mono at 16 kHz, n >= 1, channels averaged.

    Raises InputError, naming utterance and file, for what is no audio, has no samples, is cut off, or holds NaN or
    infinity.
    """
    name = row["audio"].get("path") or "embedded audio"
    try:
        samples, rate_hz = read(row["audio"])
    except ValueError as error:
        raise InputError(f"{name}: {error}", where=f"utterance {row['id']!r}", fix=_FIX) from error
    mono = samples.mean(axis=1)
    return resample(mono, rate_hz, SAMPLE_RATE_HZ).astype(np.float32)


def read(audio: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
    """Samples (n, channels) in [-1, 1] and their rate in Hz; a ValueError says why they cannot be used."""
    import soundfile

    source = io.BytesIO(audio["bytes"]) if audio.get("bytes") else audio["path"]
    try:
        with soundfile.SoundFile(source) as file:
            promised, rate_hz = file.frames, int(file.samplerate)
            samples: NDArray[np.float64] = file.read(dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise ValueError(f"no audio that soundfile can read ({error})") from error
    if not len(samples):
        raise ValueError("it has no samples")
    if len(samples) < promised < _UNKNOWN_LENGTH:
        raise ValueError(f"it is cut off: {len(samples)} of {promised} samples")
    if not np.isfinite(samples).all():
        raise ValueError("it holds NaN or infinite samples")
    return samples, rate_hz


def resample(samples: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Samples (n,) at another rate: polyphase filtering at the exact ratio of the rates, at least one sample long."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    ratio = Fraction(to_hz, from_hz)
    return np.asarray(resample_poly(samples, ratio.numerator, ratio.denominator), dtype=np.float64)


_FIX = "replace the file with a sound WAV or FLAC, or delete the line"
_UNKNOWN_LENGTH = 2**62


def sample_rate_hz(audio: Mapping[str, Any]) -> int:
    """The rate a recording is stored at, from its header."""
    import soundfile

    return int(soundfile.info(io.BytesIO(audio["bytes"]) if audio.get("bytes") else audio["path"]).samplerate)
