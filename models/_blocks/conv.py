"""Causal convolutions over frames, and what stands between them: in training over whole recordings, in a stream with
the frames before in a cache.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from earmark.models._blocks.recurrent import Dense


class CausalConv1d(nn.Module):
    """Convolution over time that sees the present frame and ``(kernel - 1) * dilation`` before it.

    State: the last ``(kernel - 1) * dilation`` frames that came in, (B, that many, width); zeros at the start.
    """

    def __init__(self, width: int, width_out: int, kernel: int, *, dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width_out, kernel, dilation=dilation, groups=groups)
        self.past = (kernel - 1) * dilation
        self.width, self.width_out = width, width_out

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:  # noqa: ARG002 - nothing to mask
        """(B, T, width) -> (B, T, width_out); padding at the end changes no frame before it."""
        return self._over(pad(x, (0, 0, self.past, 0)))

    def start(self, batch: int) -> tuple[Tensor]:
        weight = self.conv.weight
        return (torch.zeros(batch, self.past, self.width, device=weight.device, dtype=weight.dtype),)

    def step(self, x: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        """(B, k, width) and the state before -> (B, k, width_out) and the state after."""
        whole = torch.cat([state[0], x], dim=1)
        return self._over(whole), (whole[:, whole.shape[1] - self.past :],)

    def macs(self, n_frames: int) -> int:
        return n_frames * self.conv.weight.numel()

    def _over(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.conv(x.transpose(1, 2))
        return convolved.transpose(1, 2)


class Stem(CausalConv1d):
    """A causal convolution over three frames, LayerNorm and ReLU: what a small encoder begins with.

    State: the last two frames that came in.
    """

    def __init__(self, width: int, width_out: int) -> None:
        super().__init__(width, width_out, 3)
        self.norm = nn.LayerNorm(width_out)

    def _over(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(super()._over(x)))


class CausalConv2d(nn.Module):
    """Convolution over time and bands: sees the present frame and ``kernel - 1`` before it, and bands to both sides.

    Zeros stand beyond the lowest and the highest band, so that as many bands come out as go in (``kernel`` is odd).

    State: the last ``kernel - 1`` frames that came in, (B, channels, that many, bands); zeros at the start.
    """

    def __init__(self, channels: int, channels_out: int, kernel: int, *, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels_out, kernel, padding=(0, kernel // 2))
        self.past, self.channels, self.bands = kernel - 1, channels, bands

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, T, bands) -> (B, channels_out, T, bands)."""
        convolved: Tensor = self.conv(pad(x, (0, 0, self.past, 0)))
        return convolved

    def start(self, batch: int) -> Tensor:
        return self.conv.weight.new_zeros(batch, self.channels, self.past, self.bands)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, k, bands) and the state before -> (B, channels_out, k, bands) and the state after."""
        whole = torch.cat([state, x], dim=2)
        return self.conv(whole), whole[:, :, whole.shape[2] - self.past :]

    def macs(self, n_frames: int) -> int:
        return n_frames * self.bands * self.conv.weight.numel()


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalization (Ioffe and Szegedy 2015) whose statistics are those of the valid frames alone."""

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, D); in eval mode each frame is normalized by itself."""
        if not self.training or lengths is None:
            return super().forward(x.reshape(-1, x.shape[-1])).view_as(x)
        valid = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        normalized = torch.zeros_like(x)
        normalized[valid] = super().forward(x[valid])
        return normalized


class RunningSqueezeExcite(nn.Module):
    """Squeeze and excitation (Hu et al. 2018) over the past (ConvRNN-T, https://arxiv.org/abs/2209.14868, section 3.2).

    Frame i is scaled by a gate made of the mean of frames 1..i.

    State: the sum of all frames so far (B, D) in float64, and their number.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze, self.excite = Dense(width, width), Dense(width, width)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D); padding at the end enters no mean of a frame before it."""
        return self.step(x, self.start(len(x)))[0]

    def start(self, batch: int) -> tuple[Tensor, int]:
        weight = self.squeeze.weight
        return torch.zeros(batch, self.width, device=weight.device, dtype=torch.float64), 0

    def step(self, x: Tensor, state: tuple[Tensor, int]) -> tuple[Tensor, tuple[Tensor, int]]:
        """(B, k, D) and the state before -> (B, k, D) and the state after."""
        total, count = state
        totals = total[:, None] + x.double().cumsum(dim=1)
        counts = torch.arange(count + 1, count + x.shape[1] + 1, device=x.device)
        means = (totals / counts[:, None]).to(x.dtype)
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))
        return x * gates, (totals[:, -1], count + x.shape[1])

    def macs(self, n_frames: int) -> int:
        return self.squeeze.macs(n_frames) + self.excite.macs(n_frames)
