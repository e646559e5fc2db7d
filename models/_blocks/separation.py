"""An encoder that writes two channels from one recording (https://arxiv.org/abs/2011.11671; 2112.10200; 2205.05199):
channel n hears RecEnc(SepEnc_n(MixEnc(x))), and only the separation encoders differ between channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from earmark.models._blocks.conv import Stem
from earmark.models._blocks.recurrent import StreamingLSTM

N_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class SeparationSizes:
    """``stem`` is the width of the convolution, 0 for none; ``layers`` and ``hidden`` those of each of the encoders."""

    stack: int
    stem: int
    hidden: int
    layers: int


class SeparatingEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (2 * B, T, J): all recordings on the first channel, then all on the second.

    LSTM layers with LayerNorm after each. The last layer is a linear one, since the length of what LayerNorm gives
    is always the same and the masking loss could not shorten it.

    State: what the stem keeps where there is one, and (h, c) of each layer of the mixture encoder (of B recordings),
    of each separation encoder (B) and of the recognition encoder (2 * B).

    ``order_labels`` gives each separation encoder a fixed label of its place with every frame (2011.11671).
    """

    def __init__(
        self, width: int, sizes: SeparationSizes, joint: int, *, dropout: float, order_labels: bool = False
    ) -> None:
        super().__init__()

        def layers(width: int) -> StreamingLSTM:
            return StreamingLSTM(width, sizes.hidden, sizes.layers, norm=True, dropout=dropout)

        self.stem = Stem(width, sizes.stem) if sizes.stem else None
        self.mixture = layers(sizes.stem or width)
        self.separation = nn.ModuleList(layers(sizes.hidden + order_labels * N_CHANNELS) for _ in range(N_CHANNELS))
        self.recognition = layers(sizes.hidden)
        self.output = nn.Linear(sizes.hidden, joint)
        self.order_labels, self.width_out = order_labels, joint

    def forward(self, x: Tensor, lengths: Tensor, *, n_channels: int = N_CHANNELS) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (n_channels * B, T, J), the first ``n_channels`` of them."""
        x = x if self.stem is None else self.stem(x, lengths)
        x = self.mixture(x, lengths)
        separate = [layers(self._labeled(x, n)) for n, layers in enumerate(self.separation[:n_channels])]
        encoded: Tensor = self.output(self.recognition(torch.cat(separate)))
        return encoded

    def start(self, batch: int) -> tuple[Any, ...]:
        stem = () if self.stem is None else self.stem.start(batch)
        separate = tuple(layers.start(batch) for layers in self._separate())
        return stem, self.mixture.start(batch), separate, self.recognition.start(N_CHANNELS * batch)

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """(B, k, D) and the state before -> (2 * B, k, J) and the state after."""
        stem, mixture, before, recognition = state
        if self.stem is not None:
            x, stem = self.stem.step(x, stem)
        x, mixture = self.mixture.step(x, mixture)
        channels = enumerate(zip(self._separate(), before, strict=True))
        stepped = [layers.step(self._labeled(x, n), kept) for n, (layers, kept) in channels]
        x, recognition = self.recognition.step(torch.cat([y for y, _ in stepped]), recognition)
        return self.output(x), (stem, mixture, tuple(kept for _, kept in stepped), recognition)

    def macs_by_part(self, n_frames: int) -> Mapping[str, int]:
        """Of both channels."""
        stem = 0 if self.stem is None else self.stem.macs(n_frames)
        recognition = self.recognition.macs(n_frames) + n_frames * self.output.weight.numel()
        return {
            "mixture": stem + self.mixture.macs(n_frames),
            "separation": sum(layers.macs(n_frames) for layers in self._separate()),
            "recognition": N_CHANNELS * recognition,
        }

    @torch.no_grad()
    def part(self, noise: float) -> None:
        """Make each separation encoder a copy of the first with noise of deviation ``noise`` on its weights."""
        first, *others = self._separate()
        for layers in others:
            for weight, source in zip(layers.parameters(), first.parameters(), strict=True):
                weight.copy_(source + noise * torch.randn_like(source))

    def _labeled(self, x: Tensor, channel: int) -> Tensor:
        if not self.order_labels:
            return x
        label = torch.eye(N_CHANNELS, device=x.device, dtype=x.dtype)[channel]
        return torch.cat([x, label.expand(*x.shape[:2], -1)], dim=2)

    def _separate(self) -> list[StreamingLSTM]:
        return [layers for layers in self.separation if isinstance(layers, StreamingLSTM)]
