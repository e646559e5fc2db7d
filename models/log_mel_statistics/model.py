"""An embedding without a model: the mean and the standard deviation of each log-mel band over a recording.

That is the long-term average spectrum and how much it moves: voice, but room, microphone and level just as much. What a
trained embedder gains over it is what training brought; what it reaches by itself is what the channel gives away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from earmark.bench.api import Array, Json, Lengths, ModelInfo, Samples, Unsupported
from earmark.models._blocks.checks import check_preset, in_range, read_options, valid_rows
from earmark.models._blocks.mel import MelPower

NAME = "log_mel_statistics"
WINDOW_S, HOP_S = 0.025, 0.010
FLOOR = 1e-6
"""Added to a band's power: what is below it is as good as silence."""


@dataclass(frozen=True, slots=True)
class Options:
    sample_rate_hz: int = 8000
    """What it listens to: at 8 kHz nothing above 4 kHz, so that telephone bandwidth is no advantage."""
    n_mels: int = 40
    keep_level: bool = True
    """Off, the mean over all bands is taken from the means: loudness says nothing then."""

    def __post_init__(self) -> None:
        in_range("sample_rate_hz", self.sample_rate_hz, 8000, 16_000, plugin=NAME)
        in_range("n_mels", self.n_mels, 2, 80, plugin=NAME)


class Statistics:
    """A :class:`earmark.bench.api.SpeakerEmbedder` that counts its work; each recording runs by itself."""

    def __init__(self, options: Options, *, device: torch.device) -> None:
        rate = options.sample_rate_hz
        n_fft, hop = round(WINDOW_S * rate), round(HOP_S * rate)
        mel = MelPower(sample_rate_hz=rate, n_fft=n_fft, hop=hop, n_mels=options.n_mels, window="hamming")
        self.mel, self.options, self.device = mel.to(device), options, device
        self._macs = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.options.sample_rate_hz, n_parameters=0)

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        """(n, t) samples padded at the end, (n,) valid samples -> (n, 2 * n_mels): means, then deviations, in nats.

        Row i comes from the valid samples of row i alone.

        Raises:
            InputError: a length outside 1 to t, or a sample that is NaN or infinite.
        """
        rows = [self._embed_one(row) for row in valid_rows(samples, lengths, plugin=NAME)]
        return np.stack(rows) if rows else np.zeros((0, 2 * self.options.n_mels), dtype=np.float32)

    def work(self) -> Mapping[str, int]:
        """MACs executed so far: the mel product; the Fourier transform is not counted."""
        return {"front_end": self._macs}

    def _embed_one(self, row: Samples) -> Array:
        with torch.inference_mode():
            log_mels = self._log_mels(torch.tensor(row, device=self.device))
            mean, deviation = log_mels.mean(dim=0), log_mels.std(dim=0, correction=0)
            if not self.options.keep_level:
                mean = mean - mean.mean()
            found: Array = torch.cat([mean, deviation]).cpu().numpy()
        return found

    def _log_mels(self, samples: Tensor) -> Tensor:
        """(t,) -> (T, n_mels) log energies, natural log; less than a window is filled with silence."""
        whole = pad(samples, (0, max(0, self.mel.n_fft - len(samples))))
        power: Tensor = self.mel(whole[None])[0]
        self._macs += self.mel.macs(len(power))
        return (power + FLOOR).log()


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Statistics:
    """The embedder on ``device``; ``vocabulary`` and ``seed`` change nothing."""
    check_preset(preset, ("default",), plugin=NAME)
    chosen = read_options(Options, options, plugin=NAME)
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Unsupported(f"device {device!r}: this torch sees no CUDA device")
    return Statistics(chosen, device=torch.device(device))
