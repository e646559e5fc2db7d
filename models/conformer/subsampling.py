"""The convolutions before a Conformer's blocks, which make one frame of four (https://arxiv.org/abs/2005.08100,
section 2; sizes of ConvRNN-T's baseline, https://arxiv.org/abs/2209.14868, section 4).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from earmark.models._blocks.recurrent import Dense

State: TypeAlias = Any
KERNEL, STRIDE = 3, 2
PARTS = STRIDE**2
"""Frames that become one."""


class StridedConv2d(nn.Module):
    """Convolution over time and bands that gives half as many of both, and a ReLU.

    What it gives of a pair of frames has seen them and the one before: it takes pairs, and nothing waits for a frame.

    State: the last frame that came in, (B, channels, 1, bands); zeros at the start.
    """

    def __init__(self, channels: int, channels_out: int, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels_out, KERNEL, stride=STRIDE)
        self.channels, self.bands, self.bands_out = channels, bands, (bands - 1) // STRIDE + 1

    def start(self, batch: int) -> Tensor:
        return self.conv.weight.new_zeros(batch, self.channels, KERNEL - STRIDE, self.bands)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, 2 k, bands) and the state before -> (B, channels_out, k, bands_out) and the state after."""
        whole = torch.cat([state, x], dim=2)
        return torch.relu(self.conv(pad(whole, (1, 1)))), whole[:, :, -(KERNEL - STRIDE) :]

    def macs(self, n_pairs: int) -> int:
        return n_pairs * self.bands_out * self.conv.weight.numel()


class Subsampling(nn.Module):
    """Makes a frame of four: they come stacked in one, and go through two strided convolutions and a linear layer.

    Since the front end stacks as many frames as become one, a step never ends between two frames that belong together.

    State: that of each convolution.
    """

    def __init__(self, width_in: int, channels: int, width: int) -> None:
        super().__init__()
        self.first = StridedConv2d(1, channels, width_in // PARTS)
        self.second = StridedConv2d(channels, channels, self.first.bands_out)
        self.output = Dense(channels * self.second.bands_out, width)

    def start(self, batch: int) -> State:
        return self.first.start(batch), self.second.start(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after."""
        first, second = state
        planes = x.reshape(len(x), 1, PARTS * x.shape[1], -1)  # (B, 1, 4 k, width_in / 4)
        planes, first = self.first.step(planes, first)
        planes, second = self.second.step(planes, second)  # (B, channels, k, bands)
        return self.output(planes.transpose(1, 2).flatten(2)), (first, second)

    def macs(self, n_frames: int) -> int:
        return self.first.macs(STRIDE * n_frames) + self.second.macs(n_frames) + self.output.macs(n_frames)
