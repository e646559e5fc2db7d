"""Causal convolutions over frames: in training over whole recordings, in a stream with the frames before in a cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


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
