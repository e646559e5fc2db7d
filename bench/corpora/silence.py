"""Where somebody speaks in a recording: long silence at its ends costs training time and teaches little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from earmark.bench.api import Samples

FRAME_S = 0.02
SMOOTHED = 5
"""Frames averaged, so that a click is no speech."""
RANGE_DB = 25.0
"""Speech is what lies within this of the loudest three hundredths of the recording."""


def without_silence(samples: Samples, rate_hz: int, keep_s: float) -> slice:
    """Of (n,) samples those from ``keep_s`` before the first speech to ``keep_s`` after the last."""
    size = round(FRAME_S * rate_hz)
    n_frames = len(samples) // size
    if n_frames < 2 * SMOOTHED:
        return slice(0, len(samples))
    power = np.square(samples[: n_frames * size].reshape(n_frames, size), dtype=np.float64).mean(axis=1)
    level_db = np.pad(10.0 * np.log10(power + 1e-10), SMOOTHED // 2, "edge")
    smooth = np.convolve(level_db, np.full(SMOOTHED, 1.0 / SMOOTHED), "valid")
    active = np.flatnonzero(smooth > np.percentile(smooth, 97.0) - RANGE_DB)
    keep = round(keep_s * rate_hz)
    return slice(max(0, int(active[0]) * size - keep), min(len(samples), (int(active[-1]) + 1) * size + keep))


def spoken(row: Mapping[str, Any], samples: Samples, rate_hz: int, keep_s: float) -> slice:
    """What is kept of a row's recording: where somebody speaks, and every word whose time is known."""
    kept, words = without_silence(samples, rate_hz, keep_s), row["words"]
    if not words:
        return kept
    first, last = (round(rate_hz * seconds) for seconds in (words[0]["start"], words[-1]["end"]))
    return slice(max(0, min(kept.start, first)), min(len(samples), max(kept.stop, last)))
