"""Layers over frames that know two ways of hearing: a whole recording at once, or a stream block by block.

Each takes a ``memory``: None for whole recordings, and in a stream what its layers keep of it, which they replace as
they go. B is the batch, C channels, F bands, T frames; a block of a stream has a multiple of the network's stride.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

Memory: TypeAlias = "dict[nn.Module, Any]"
LEAST_VARIANCE = 1e-5
"""Of what is pooled: a frame alone has none."""


class FrameConv(nn.Conv2d):
    """3 x 3 convolution over bands and frames, without bias; causal ones see no frame after the present one.

    With stride 2 the frames of a pair are both there when its output is made, causal or not: output o is centered at
    frame 2 o and sees the frames beside it. A stream keeps the last frames that came in, (B, C, F, past).
    """

    def __init__(self, channels: int, channels_out: int, *, stride: tuple[int, int] = (1, 1), causal: bool) -> None:
        super().__init__(channels, channels_out, 3, stride=stride, padding=1, bias=False)
        self.causal, self.past = causal, 2 if stride[1] == 1 else 1

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, C, F, T) -> (B, C', F', T'), T' = T / stride."""
        if not self.causal:
            return super().forward(x)
        before = None if memory is None else memory.get(self)
        x = pad(x, (self.past, 0)) if before is None else torch.cat([before, x], dim=3)
        if memory is not None:
            memory[self] = x[..., -self.past :].clone()
        return conv2d(x, self.weight, stride=self.stride, padding=(1, 0))


class SqueezeExcitation(nn.Module):
    """Channels scaled by what they hold on average (https://arxiv.org/abs/1709.01507, section 3).

    Causal ones take the average up to and with each frame. A stream keeps its sum (B, C) and number of frames.
    """

    def __init__(self, channels: int, *, reduction: int = 8, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, C, F, T) -> the same shape."""
        mean = self._running_mean(x, memory) if self.causal else x.mean(dim=(2, 3))[:, None]  # (B, T or 1, C)
        scale = torch.sigmoid(self.excite(torch.relu(self.squeeze(mean))))
        return x * scale.transpose(1, 2)[:, :, None]

    def macs(self, n_frames: int) -> int:
        times = n_frames if self.causal else 1
        return times * (self.squeeze.weight.numel() + self.excite.weight.numel())

    def _running_mean(self, x: Tensor, memory: Memory | None) -> Tensor:
        totals = x.mean(dim=2).transpose(1, 2).double().cumsum(dim=1)  # (B, T, C)
        before, n = (0.0, 0) if memory is None or self not in memory else memory[self]
        totals = totals + before
        if memory is not None:
            memory[self] = (totals[:, -1:].clone(), n + x.shape[3])
        counts = torch.arange(n + 1, n + x.shape[3] + 1, device=x.device, dtype=torch.float64)
        return (totals / counts[:, None]).to(x.dtype)


class Residual(nn.Module):
    """Two convolutions, squeeze and excitation, and the input added: a basic block of SE-ResNet."""

    def __init__(self, channels: int, channels_out: int, *, stride: int, causal: bool) -> None:
        super().__init__()
        self.first = FrameConv(channels, channels_out, stride=(stride, stride), causal=causal)
        self.first_norm = nn.BatchNorm2d(channels_out)
        self.second = FrameConv(channels_out, channels_out, causal=causal)
        self.second_norm = nn.BatchNorm2d(channels_out)
        self.scale, self.stride = SqueezeExcitation(channels_out, causal=causal), stride
        self.shortcut = (
            nn.Sequential(nn.Conv2d(channels, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out))
            if stride > 1 or channels != channels_out
            else nn.Identity()
        )

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, C, F, T) -> (B, C', F / stride, T / stride)."""
        y = self.first_norm(torch.relu(self.first(x, memory)))
        y = self.scale(self.second_norm(self.second(y, memory)), memory)
        return torch.relu(y + self.shortcut(x))

    @property
    def taps(self) -> int:
        """Weights of the convolutions: multiply-accumulates for each place that comes out."""
        return sum(m.weight.numel() for m in self.modules() if isinstance(m, nn.Conv2d))


class AttentiveStatistics(nn.Module):
    """Mean and deviation over frames, each frame counting by attention (https://arxiv.org/abs/1803.10963, section 3).

    Attention looks at one frame at a time, with weights for every row. A stream keeps, for each row, the largest score
    and the sums of weights, of weighted values and of their squares; what it pools never depends on how it was cut.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden, self.norm = nn.Conv1d(width, hidden, 1), nn.BatchNorm1d(hidden)
        self.scores = nn.Conv1d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, T) -> (B, 2 D)."""
        return self.pooled(self.add(x, None))

    def add(self, x: Tensor, before: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """What is kept after (B, D, T) more frames: four of (B, D)."""
        scores = self.scores(self.norm(torch.relu(self.hidden(x))))
        highest = scores.amax(dim=2)
        if before is not None:
            highest = torch.maximum(highest, before[0])
        weights = (scores - highest[..., None]).exp()
        sums = [weights.sum(dim=2), (weights * x).sum(dim=2), (weights * x.square()).sum(dim=2)]
        if before is not None:
            faded = (before[0] - highest).exp()
            sums = [old * faded + new for old, new in zip(before[1:], sums, strict=True)]
        return (highest, *sums)

    def macs(self, n_frames: int) -> int:
        return n_frames * (self.hidden.weight.numel() + self.scores.weight.numel())

    @staticmethod
    def pooled(kept: tuple[Tensor, ...]) -> Tensor:
        """(B, 2 D) mean and deviation of what is kept."""
        _, n, total, squares = kept
        mean = total / n
        return torch.cat([mean, (squares / n - mean.square()).clamp(min=LEAST_VARIANCE).sqrt()], dim=1)
