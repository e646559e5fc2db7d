"""Mel power spectrogram of a waveform: the front end, on the model's device.

The filters are those of Slaney's Auditory Toolbox (1998), which librosa uses by default: a scale that is linear
up to 1 kHz and logarithmic above, triangles of equal area.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

_LINEAR_HZ = 200.0 / 3.0  # one mel below 1 kHz
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ  # 15
_LOG_STEP = math.log(6.4) / 27.0  # one mel above 1 kHz, as a ratio: 27 mels from 1 to 6.4 kHz


def hz_to_mel(hz: float) -> float:
    """Slaney mels of a frequency: 3 / 200 a hertz up to 1 kHz, then 27 to every factor of 6.4."""
    if hz < _KNEE_HZ:
        return hz / _LINEAR_HZ
    return _KNEE_MEL + math.log(hz / _KNEE_HZ) / _LOG_STEP


def mel_to_hz(mel: float) -> float:
    """The inverse of :func:`hz_to_mel`."""
    if mel < _KNEE_MEL:
        return mel * _LINEAR_HZ
    return _KNEE_HZ * math.exp((mel - _KNEE_MEL) * _LOG_STEP)


def mel_filters(*, sample_rate_hz: int, n_fft: int, n_mels: int, low_hz: float = 0.0) -> Tensor:
    """Triangular filters (n_fft // 2 + 1, n_mels) from ``low_hz`` to half the sample rate, each of area 1 in Hz."""
    low, high = hz_to_mel(low_hz), hz_to_mel(sample_rate_hz / 2)
    edges = [mel_to_hz(low + (high - low) * i / (n_mels + 1)) for i in range(n_mels + 2)]
    corners = torch.tensor(edges, dtype=torch.float64)  # (n_mels + 2,): filter m spans corners m .. m + 2
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * sample_rate_hz / n_fft
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    triangles = torch.minimum(rising, falling).clamp(min=0.0)  # (n_fft // 2 + 1, n_mels)
    return (triangles * 2.0 / (corners[2:] - corners[:-2])).float()


class MelPower(nn.Module):
    """Power spectrogram in mel bands, Hann or Hamming window of ``n_fft`` samples, one frame every ``hop`` samples.

    Nothing is padded: frame i covers samples ``i * hop`` to ``i * hop + n_fft``, so any stretch of a waveform gives the
    frames that the whole gives. For centered frames, put ``n_fft // 2`` zeros on both sides first.
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self, *, sample_rate_hz: int, n_fft: int, hop: int, n_mels: int, window: Literal["hann", "hamming"] = "hann"
    ) -> None:
        super().__init__()
        self.n_fft, self.hop, self.n_mels = n_fft, hop, n_mels
        filters = mel_filters(sample_rate_hz=sample_rate_hz, n_fft=n_fft, n_mels=n_mels)
        shape = torch.hann_window(n_fft) if window == "hann" else torch.hamming_window(n_fft)
        self.register_buffer("window", shape, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """(B, t) samples, t >= n_fft -> (B, 1 + (t - n_fft) // hop, n_mels) power."""
        frames = samples.unfold(-1, self.n_fft, self.hop) * self.window  # (B, T, n_fft)
        power = torch.view_as_real(torch.fft.rfft(frames)).square().sum(dim=-1)  # (B, T, n_fft // 2 + 1)
        return torch.matmul(power, self.filters)

    def macs(self, n_frames: int) -> int:
        """Multiply-accumulates of the mel product; the Fourier transform is not a matrix product and not counted."""
        return n_frames * (self.n_fft // 2 + 1) * self.n_mels
