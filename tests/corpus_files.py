"""Small audio files and manifests for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray


def sine(rate_hz: int, duration_s: float = 0.5, amplitude: float = 0.5) -> NDArray[np.float64]:
    """A sine of 440 Hz (n,) that starts at zero phase."""
    t = np.arange(round(rate_hz * duration_s)) / rate_hz
    return np.asarray(amplitude * np.sin(2 * np.pi * 440 * t), dtype=np.float64)


def write_corpus(folder: Path, lines: Sequence[dict[str, Any] | str], *, n_samples: int = 1600) -> Path:
    """A corpus folder with one WAV of ``n_samples`` at 16 kHz for each ``audio`` that starts with ``ok``."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, line in enumerate(lines):
        if isinstance(line, dict) and str(line.get("audio", "")).startswith("ok"):
            soundfile.write(folder / line["audio"], sine(16_000)[:n_samples] / (1 + index), 16_000)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "manifest.jsonl").write_text(text + "\n", encoding="utf-8")
    return folder
