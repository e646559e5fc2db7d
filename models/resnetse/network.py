"""SE-ResNet over log-mel frames, pooled to one vector: ResNetSE34V2 and smaller ones (presets in model.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from earmark.models.resnetse.layers import AttentiveStatistics, FrameConv, Memory, Residual


@dataclass(frozen=True, slots=True)
class Sizes:
    """``filters`` and ``blocks`` of each stage; every stage but the first halves bands and frames."""

    n_mels: int
    filters: tuple[int, ...]
    blocks: tuple[int, ...]
    stem_stride: int
    attention: int
    dim: int

    @property
    def stride(self) -> int:
        """Frames that come in for each that is pooled."""
        return int(self.stem_stride * 2 ** (len(self.filters) - 1))

    @property
    def width(self) -> int:
        """Of what is pooled: channels times bands."""
        bands = self.n_mels
        for stride in (self.stem_stride, *[2] * (len(self.filters) - 1)):
            bands = ceil(bands / stride)
        return self.filters[-1] * bands


class SpeakerNetwork(nn.Module):
    """Frames in, one vector out."""

    def __init__(self, sizes: Sizes, *, causal: bool) -> None:
        super().__init__()
        self.sizes, first = sizes, sizes.filters[0]
        self.stem = FrameConv(1, first, stride=(sizes.stem_stride, sizes.stem_stride), causal=causal)
        self.stem_norm = nn.BatchNorm2d(first)
        stages, channels = [], first
        for place, (filters, blocks) in enumerate(zip(sizes.filters, sizes.blocks, strict=True)):
            for block in range(blocks):
                stride = 2 if place and not block else 1
                stages.append(Residual(channels, filters, stride=stride, causal=causal))
                channels = filters
        self.stages = nn.ModuleList(stages)
        self.pool = AttentiveStatistics(sizes.width, sizes.attention)
        self.output = nn.Linear(2 * sizes.width, sizes.dim)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, n_mels) -> (B, dim)."""
        return self.embedding(self.pool.add(self.encode(frames), None))

    def encode(self, frames: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, T, n_mels) -> (B, width, T / stride)."""
        x = frames.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)  # (B, 1, F, T)
        x = self.stem_norm(torch.relu(self.stem(x, memory)))  # (B, C, F, T)
        for stage in self.stages:
            x = stage(x, memory)
        found: Tensor = x.flatten(1, 2)
        return found

    def hear(self, frames: Tensor, memory: Memory) -> None:
        """Take (1, T, n_mels) more frames of a stream, T a multiple of the stride."""
        memory[self.pool] = self.pool.add(self.encode(frames, memory), memory.get(self.pool))

    def so_far(self, memory: Memory) -> Tensor:
        """(1, dim) of everything that a stream has heard."""
        return self.embedding(memory[self.pool])

    def embedding(self, kept: tuple[Tensor, ...]) -> Tensor:
        found: Tensor = self.output(self.pool.pooled(kept))
        return found

    def macs(self, n_frames: int) -> Mapping[str, int]:
        """Multiply-accumulates of ``encode`` and the attention over ``n_frames`` frames of one recording, by part."""
        stride = self.sizes.stem_stride
        bands, frames = ceil(self.sizes.n_mels / stride), ceil(n_frames / stride)
        convolutions, squeeze = bands * frames * self.stem.weight.numel(), 0
        for stage in self.stages:
            assert isinstance(stage, Residual)
            bands, frames = ceil(bands / stage.stride), ceil(frames / stage.stride)
            convolutions += bands * frames * stage.taps
            squeeze += stage.scale.macs(frames)
        return {"convolutions": convolutions, "squeeze": squeeze, "pooling": self.pool.macs(frames)}
