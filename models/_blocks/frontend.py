"""Audio to frames: log-mel energies, normalized, stacked. The streaming form gives the frames of the offline form.

Frame i covers samples ``i * hop`` to ``i * hop + window``; ``stack`` of them in a row make one frame of the encoder,
without overlap. Nothing looks ahead. A recording ends with ``tail_s`` of digital silence, in which a transducer says
its last words; training adds the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from earmark.models._blocks.mel import MelPower

if TYPE_CHECKING:
    from earmark.bench.api import Samples

MIN_STD = 0.1
"""Of a band in nats: bands that hardly vary are not blown up."""


@dataclass(frozen=True, slots=True)
class FrontEndConfig:
    """What the encoder hears. Defaults: 64 bands, 25 ms Hamming window, 10 ms hop (ConvRNN-T, section 4)."""

    sample_rate_hz: int = 16_000
    n_mels: int = 64
    window_s: float = 0.025
    hop_s: float = 0.010
    stack: int = 6
    floor: float = 1e-6
    """Added to a band's power: what is below it is as good as silence."""
    prior_s: float = 0.0
    """Above 0, the mean of the recording so far is taken off too, as if ``prior_s`` of average audio had come first."""
    tail_s: float = 0.24

    @property
    def hop(self) -> int:
        return round(self.hop_s * self.sample_rate_hz)

    @property
    def window(self) -> int:
        return round(self.window_s * self.sample_rate_hz)

    @property
    def tail(self) -> int:
        return round(self.tail_s * self.sample_rate_hz)

    @property
    def frame_s(self) -> float:
        """From one frame of the encoder to the next."""
        return self.stack * self.hop_s

    @property
    def width(self) -> int:
        """Size of a frame of the encoder."""
        return self.stack * self.n_mels


class RunningNorm(nn.Module):
    """Brings each band to mean 0 and deviation 1 over all valid frames that training has seen.

    The statistics are those seen so far, not those of the batch, so that training and use see the same thing. They are
    sums in float64 and part of the state that is saved.
    """

    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("total", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(width, dtype=torch.float64))

    def see(self, x: Tensor, lengths: Tensor) -> None:
        """Add the valid frames of ``x (B, T, D)``."""
        valid = torch.arange(x.shape[1], device=x.device)[None] < lengths[:, None]
        frames = x.detach()[valid].double()  # (n, D)
        self.count += len(frames)
        self.total += frames.sum(dim=0)
        self.squares += frames.square().sum(dim=0)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D); the identity while nothing was seen."""
        n = self.count.clamp(min=1.0)
        mean = self.total / n
        std = (self.squares / n - mean.square()).clamp(min=0.0).sqrt().clamp(min=MIN_STD)
        std = torch.where(self.count > 0, std, torch.ones_like(std))
        return (x - mean.to(x.dtype)) / std.to(x.dtype)


class LogMelFrontEnd(nn.Module):
    """Waveforms to stacked frames; :class:`FrontEndStream` is the same for one recording as it comes."""

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = MelPower(
            sample_rate_hz=config.sample_rate_hz,
            n_fft=config.window,
            hop=config.hop,
            n_mels=config.n_mels,
            window="hamming",
        )
        self.norm = RunningNorm(config.n_mels)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """(B,) samples, the tail not counted -> (B,) frames of the encoder, at least 1."""
        short = (n_samples + self.config.tail - self.config.window).clamp(min=0) // self.config.hop + 1
        return (short // self.config.stack).clamp(min=1)

    def log_mels(self, samples: Tensor) -> Tensor:
        """(B, t) samples, t >= window -> (B, T, n_mels) log energies."""
        power: Tensor = self.mel(samples)
        return (power + self.config.floor).log()

    def forward(self, samples: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """(B, t) samples padded with zeros, (B,) valid ones -> (B, T, n_mels * stack) frames, (B,) valid frames."""
        config = self.config
        lengths = self.n_frames(n_samples)
        n_short = int(lengths.max()) * config.stack
        needed = (n_short - 1) * config.hop + config.window
        mels = self.log_mels(pad(samples, (0, max(0, needed - samples.shape[1])))[:, :needed])
        if self.training:
            self.norm.see(mels, lengths * config.stack)
        mels = self.norm(mels)
        if config.prior_s > 0:
            mels, _ = self.take_off_mean(mels, self.start_mean(len(mels)))
        return mels.reshape(len(mels), -1, config.width), lengths

    def start_mean(self, batch: int) -> tuple[Tensor, Tensor]:
        """Of the running mean: sum (B, n_mels) and number of frames (B, 1), the prior included."""
        device = self.norm.total.device
        count = torch.full((batch, 1), self.config.prior_s / self.config.hop_s, device=device)
        return torch.zeros(batch, self.config.n_mels, device=device), count

    def take_off_mean(self, mels: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, n_mels) less the mean of everything up to and with each frame, and the state after it."""
        totals = state[0][:, None] + mels.cumsum(dim=1)
        counts = state[1][:, None] + torch.arange(1, mels.shape[1] + 1, device=mels.device)[None, :, None]
        return mels - totals / counts, (totals[:, -1], counts[:, -1])

    def macs(self, n_frames: int) -> int:
        """Multiply-accumulates of the mel product for ``n_frames`` frames of the encoder."""
        return self.mel.macs(n_frames * self.config.stack)


class FrontEndStream:
    """Frames of one recording as it comes.

    State: the samples of the unfinished frame (less than stack * hop + window), and the sum (1, n_mels) and number of
    frames (1, 1) behind the running mean.
    """

    def __init__(self, front: LogMelFrontEnd) -> None:
        self.front = front
        self.device = front.norm.total.device
        self.rest = torch.zeros(0, device=self.device)
        self.mean = front.start_mean(1)
        self.n_frames, self.n_samples = 0, 0

    def accept(self, samples: Samples) -> Tensor | None:
        """(n,) samples -> (1, k, width) frames that are now complete; None if there is none."""
        self.n_samples += len(samples)
        return self._frames(torch.tensor(samples, device=self.device))

    def finish(self) -> Tensor | None:
        """The frames that the tail completes, so that there is at least one in all."""
        config = self.front.config
        whole = (config.stack - 1) * config.hop + config.window
        missing = 0 if self.n_frames else max(0, whole - len(self.rest) - config.tail)
        return self._frames(torch.zeros(config.tail + missing, device=self.device))

    def _frames(self, samples: Tensor) -> Tensor | None:
        config = self.front.config
        step, overlap = config.stack * config.hop, config.window - config.hop
        self.rest = torch.cat([self.rest, samples])
        k = (len(self.rest) - overlap) // step
        if k < 1:
            return None
        mels: Tensor = self.front.norm(self.front.log_mels(self.rest[None, : k * step + overlap]))
        if config.prior_s > 0:
            mels, self.mean = self.front.take_off_mean(mels, self.mean)
        self.rest = self.rest[k * step :].clone()
        self.n_frames += k
        return mels.reshape(1, k, config.width)

    def time_s(self, frame: int) -> float:
        """Seconds of audio that had been heard when frame ``frame`` was complete, the tail not counted."""
        config = self.front.config
        heard = frame * config.stack * config.hop + (config.stack - 1) * config.hop + config.window
        return min(heard, self.n_samples) / config.sample_rate_hz
