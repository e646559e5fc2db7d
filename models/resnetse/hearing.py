"""From samples to the frames that the network hears: log-mels, without pauses, normalized.

A frame is a pause where it lies ``pause_db`` below the loudest frame, of the recording or, for a causal network, of the
recording so far. Causal networks hear bands less their mean so far, others bands of mean 0 and deviation 1 over the
recording (instance normalization).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from earmark.models._blocks.frontend import MIN_STD, FrontEndConfig, LogMelFrontEnd

if TYPE_CHECKING:
    from earmark.bench.api import Samples

NATS_PER_DB = math.log(10.0) / 10.0


class Hearing(nn.Module):
    """Whole recordings; :class:`HearingStream` is the same for one recording as it comes."""

    def __init__(self, config: FrontEndConfig, *, pause_db: float, causal: bool, block: int) -> None:
        super().__init__()
        self.front, self.causal, self.block = LogMelFrontEnd(config), causal, block
        self.config, self.pause_range = config, pause_db * NATS_PER_DB

    @property
    def device(self) -> torch.device:
        return self.front.norm.total.device

    def n_samples(self, n_frames: int) -> int:
        """Samples that ``n_frames`` frames are made of."""
        return (n_frames - 1) * self.config.hop + self.config.window

    def n_frames(self, n_samples: int) -> int:
        """Frames that a recording is cut into; of a causal network whole blocks; one block at least."""
        n_frames = max(0, n_samples - self.config.window + self.config.hop) // self.config.hop
        return max(self.block, n_frames // self.block * self.block if self.causal else n_frames)

    def spoken(self, mels: Tensor) -> Tensor:
        """(B, T, n_mels) log energies -> (B, T), False in pauses."""
        loudness = mels.exp().mean(dim=2).log()
        loudest = loudness.cummax(dim=1).values if self.causal else loudness.amax(dim=1, keepdim=True)
        return loudness >= loudest - self.pause_range

    def crops(self, samples: Tensor, n_frames: int) -> Tensor:
        """(B, t) samples -> (B, n_frames, n_mels): the first frames that are spoken, over again where they are few."""
        mels = self.front.log_mels(samples)
        spoken = self.spoken(mels)
        order = spoken.float().sort(dim=1, descending=True, stable=True).indices
        places = torch.arange(n_frames, device=samples.device)[None] % spoken.sum(dim=1, keepdim=True)
        chosen = order.gather(1, places)[..., None].expand(-1, -1, mels.shape[2])
        kept = mels.gather(1, chosen)
        if self.training:
            self.front.norm.see(kept, torch.full((len(kept),), n_frames, device=kept.device))
        return self.normalized(kept)

    def forward(self, samples: Tensor) -> Tensor:
        """(t,) samples of a whole recording -> (1, T, n_mels), a multiple of a block for a causal network."""
        n_frames = self.n_frames(len(samples))
        missing = max(0, self.n_samples(n_frames) - len(samples))
        mels = self.front.log_mels(torch.cat([samples, samples.new_zeros(missing)])[None, : self.n_samples(n_frames)])
        kept = mels[self.spoken(mels)]  # (k, n_mels)
        whole = len(kept) // self.block * self.block if self.causal else len(kept)
        n = max(self.block, whole)
        return self.normalized(kept[torch.arange(n, device=kept.device) % len(kept)][None])

    def normalized(self, mels: Tensor) -> Tensor:
        """(B, T, n_mels) as the network hears them."""
        if self.causal:
            return self.front.take_off_mean(self.front.norm(mels), self.front.start_mean(len(mels)))[0]
        mean, std = mels.mean(dim=1, keepdim=True), mels.std(dim=1, keepdim=True, unbiased=False)
        return (mels - mean) / std.clamp(min=MIN_STD)


class HearingStream:
    """Blocks of frames of one recording as it comes, the same however the recording is cut.

    State: the samples of the unfinished block (less than that and a window), the loudest frame so far (1, 1), the
    spoken frames of the unfinished block (1, k, n_mels), and the sum and number behind the running mean.
    """

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        n_mels, device = hearing.config.n_mels, hearing.device
        self.rest = torch.zeros(0, device=device)
        self.loudest = torch.full((1, 1), -torch.inf, device=device)
        self.kept = torch.zeros(1, 0, n_mels, device=device)
        self.mean = hearing.front.start_mean(1)
        self.n_frames = 0

    def accept(self, samples: Samples) -> list[Tensor]:
        """(n,) samples -> blocks (1, block, n_mels) that are now complete."""
        hearing, size = self.hearing, self.hearing.block
        self.rest = torch.cat([self.rest, torch.tensor(samples, device=self.rest.device)])
        blocks = []
        while len(self.rest) >= hearing.n_samples(size):
            self._take(hearing.front.log_mels(self.rest[None, : hearing.n_samples(size)]))
            self.rest = self.rest[size * hearing.config.hop :].clone()
            if self.kept.shape[1] >= size:
                block, self.kept = self.kept[:, :size], self.kept[:, size:].clone()
                normal, self.mean = hearing.front.take_off_mean(hearing.front.norm(block), self.mean)
                blocks.append(normal)
        return blocks

    def _take(self, mels: Tensor) -> None:
        loudness = mels.exp().mean(dim=2).log()
        loudest = torch.maximum(loudness.cummax(dim=1).values, self.loudest)
        self.loudest, self.n_frames = loudest[:, -1:], self.n_frames + mels.shape[1]
        spoken = loudness >= loudest - self.hearing.pause_range
        self.kept = torch.cat([self.kept, mels[spoken][None]], dim=1)
