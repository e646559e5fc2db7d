"""Layers and blocks of ContextNet (https://arxiv.org/abs/2005.03191, section 2.2), each causal and without strides."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.functional import silu

from earmark.models._blocks.conv import CausalConv1d, MaskedBatchNorm, RunningSqueezeExcite
from earmark.models._blocks.recurrent import Dense

State: TypeAlias = Any


class SeparableConv(nn.Module):
    """A convolution of each channel by itself, a linear layer over channels, batch normalization, Swish (2.2.2, 2.2.4).

    State: the last ``kernel`` - 1 frames that came in.
    """

    def __init__(self, width_in: int, width: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = CausalConv1d(width_in, width_in, kernel, groups=width_in)
        self.pointwise = Dense(width_in, width)
        self.norm = MaskedBatchNorm(width)

    def start(self, batch: int) -> State:
        return self.depthwise.start(batch)

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after; ``lengths`` count in training."""
        past, state = self.depthwise.step(x, state)
        return silu(self.norm(self.pointwise(past), lengths)), state

    def macs(self, n_frames: int) -> int:
        return self.depthwise.macs(n_frames) + self.pointwise.macs(n_frames)


class ContextBlock(nn.Module):
    """Separable convolutions, scaled by a gate made of the mean so far, added to a projection of the input; Swish.

    The squeeze-and-excitation of the paper takes the mean of the whole recording (2.2.1); this one that of the past.

    State: that of each convolution, and the sum and number behind the mean.
    """

    def __init__(self, width_in: int, width: int, *, layers: int, kernel: int, residual: bool, dropout: float) -> None:
        super().__init__()
        ends = [width_in] + [width] * layers
        self.layers = nn.ModuleList(SeparableConv(before, after, kernel) for before, after in pairwise(ends))
        self.excite = RunningSqueezeExcite(width)
        self.project = Dense(width_in, width) if residual else None
        if self.project is not None and width_in == width:
            nn.init.eye_(self.project.weight)
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int) -> State:
        return tuple(layer.start(batch) for layer in self._each()), self.excite.start(batch)

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after; ``lengths`` count in training."""
        inside, means = state
        y, after = x, []
        for layer, before in zip(self._each(), inside, strict=True):
            y, kept = layer.step(y, before, lengths)
            after.append(kept)
        y, means = self.excite.step(y, means)
        y = self.dropout(y)
        return silu(y if self.project is None else y + self.project(x)), (tuple(after), means)

    def macs(self, n_frames: int) -> int:
        project = 0 if self.project is None else self.project.macs(n_frames)
        return sum(layer.macs(n_frames) for layer in self._each()) + self.excite.macs(n_frames) + project

    def _each(self) -> list[SeparableConv]:
        return [layer for layer in self.layers if isinstance(layer, SeparableConv)]
