"""The convolutional front end of ConvRNN-T (https://arxiv.org/abs/2209.14868, section 3): a local branch that looks at
short stretches of time and frequency, a global branch that looks far back over what the local one found, and a layer
that joins what both give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from earmark.models._blocks.conv import CausalConv1d, CausalConv2d, MaskedBatchNorm, RunningSqueezeExcite
from earmark.models._blocks.recurrent import Dense

Branches: TypeAlias = Literal["both", "local", "global"]
State: TypeAlias = Any
GLOBAL_KERNEL = 3
RANDOM_SHARE = 0.2
"""Of the random weights that a convolution begins with."""


@dataclass(frozen=True, slots=True)
class BranchSizes:
    """``planes``: the frames stacked in one are that many channels of the local branch; 1 makes one wide frame of them.

    ``local`` are the channels of its convolutions, ``kernel`` their reach in frames and in bands, ``width`` what each
    branch gives and what is joined, ``blocks`` the number of global blocks, whose dilations are 2, 4, 8 and so on.
    ``norm`` puts a LayerNorm over all that the local convolutions found in a frame.
    """

    planes: int
    kernel: int
    local: Sequence[int]
    width: int
    blocks: int
    norm: bool = False


class LocalBranch(nn.Module):
    """Causal convolutions over time and bands with a ReLU after each; all bands of a frame then make ``width``.

    State: the last ``kernel`` - 1 frames that came into each convolution.
    """

    def __init__(self, width_in: int, sizes: BranchSizes) -> None:
        super().__init__()
        self.planes, bands = sizes.planes, width_in // sizes.planes
        ends = zip((sizes.planes, *sizes.local), sizes.local, strict=False)
        self.convs = nn.ModuleList(CausalConv2d(before, after, sizes.kernel, bands=bands) for before, after in ends)
        for conv in self._each():
            _begin_as_identity(conv.conv)
        n_found = sizes.local[-1] * bands
        self.norm = nn.LayerNorm(n_found) if sizes.norm else None
        self.output = Dense(n_found, sizes.width)
        # Of so many inputs each small change of a weight adds up. Small inputs and weights as much larger begin with
        # the same output, and an optimizer's step, alike for all weights, moves it no farther than in other layers.
        self.share = sizes.width / n_found if sizes.norm else 1.0
        with torch.no_grad():
            self.output.weight.div_(self.share)

    def start(self, batch: int) -> State:
        return tuple(conv.start(batch) for conv in self._each())

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after."""
        planes = x.reshape(*x.shape[:2], self.planes, -1).transpose(1, 2)  # (B, planes, k, bands)
        after = []
        for conv, before in zip(self._each(), state, strict=True):
            planes, kept = conv.step(planes, before)
            planes = torch.relu(planes)
            after.append(kept)
        found = planes.transpose(1, 2).flatten(2)  # (B, k, channels * bands)
        return self.output(found if self.norm is None else self.share * self.norm(found)), tuple(after)

    def macs(self, n_frames: int) -> int:
        return sum(conv.macs(n_frames) for conv in self._each()) + self.output.macs(n_frames)

    def _each(self) -> list[CausalConv2d]:
        return [conv for conv in self.convs if isinstance(conv, CausalConv2d)]


def _begin_as_identity(conv: nn.Conv2d) -> None:
    """Let a convolution begin by handing on the present frame, each band to itself, beside weak random weights.

    The first one hands on each plane twice, as it is and negated, so that the ReLU behind it loses nothing. Four
    convolutions of random weights alone would blur time and bands until training had found out what to listen to.
    """
    channels_out, channels, _, width = conv.weight.shape
    with torch.no_grad():
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        conv.weight *= RANDOM_SHARE
        for i in range(min(channels_out, 2 * channels if channels_out >= 2 * channels else channels)):
            conv.weight[i, i % channels, -1, width // 2] += 1.0 if i < channels else -1.0


class GlobalBlock(nn.Module):
    """Widen, convolve over ``(kernel - 1) * dilation`` past frames, narrow, scale by the mean so far, add the input.

    State: the last 2 * dilation frames that came into the convolution, and the sum and number behind the mean.
    """

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.widen, self.norm_wide = Dense(width, 2 * width), MaskedBatchNorm(2 * width)
        self.conv = CausalConv1d(2 * width, width, GLOBAL_KERNEL, dilation=dilation)
        self.norm = MaskedBatchNorm(width)
        self.narrow, self.excite = Dense(width, width), RunningSqueezeExcite(width)
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int) -> State:
        return self.conv.start(batch), self.excite.start(batch)

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width) and the state before -> (B, k, width) and the state after; ``lengths`` count in training."""
        before, means = state
        wide = self.norm_wide(torch.relu(self.widen(x)), lengths)
        past, before = self.conv.step(wide, before)
        excited, means = self.excite.step(self.narrow(self.norm(torch.relu(past), lengths)), means)
        return x + self.dropout(excited), (before, means)

    def macs(self, n_frames: int) -> int:
        return sum(part.macs(n_frames) for part in (self.widen, self.conv, self.narrow, self.excite))


class GlobalBranch(nn.Module):
    """Blocks that reach ever farther back. Where ``width`` is not that of the frames, a linear layer comes first.

    State: that of each block.
    """

    def __init__(self, width_in: int, sizes: BranchSizes, dropout: float) -> None:
        super().__init__()
        self.input = Dense(width_in, sizes.width) if width_in != sizes.width else None
        self.blocks = nn.ModuleList(GlobalBlock(sizes.width, 2**i, dropout) for i in range(1, sizes.blocks + 1))

    def start(self, batch: int) -> State:
        return tuple(block.start(batch) for block in self._each())

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after."""
        x = x if self.input is None else self.input(x)
        after = []
        for block, before in zip(self._each(), state, strict=True):
            x, kept = block.step(x, before, lengths)
            after.append(kept)
        return x, tuple(after)

    def macs(self, n_frames: int) -> int:
        entry = self.input.macs(n_frames) if self.input is not None else 0
        return entry + sum(block.macs(n_frames) for block in self._each())

    def _each(self) -> list[GlobalBlock]:
        return [block for block in self.blocks if isinstance(block, GlobalBlock)]


class ConvFrontEnd(nn.Module):
    """The local branch, the global branch over its output (over the frames, where there is no local one), and a linear
    layer over both outputs side by side (section 3).

    State: that of each branch.
    """

    def __init__(self, width_in: int, sizes: BranchSizes, *, branches: Branches, dropout: float) -> None:
        super().__init__()
        self.near = LocalBranch(width_in, sizes) if branches != "global" else None
        heard = sizes.width if self.near is not None else width_in
        self.far = GlobalBranch(heard, sizes, dropout) if branches != "local" else None
        self.join = Dense(sizes.width * (2 if branches == "both" else 1), sizes.width)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, width_in) and (B,) valid frames -> (B, T, width)."""
        return self.step(x, self.start(len(x)), lengths)[0]

    def start(self, batch: int) -> State:
        return tuple(None if branch is None else branch.start(batch) for branch in (self.near, self.far))

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width_in) and the state before -> (B, k, width) and the state after."""
        near, far = state
        found = []
        if self.near is not None:
            x, near = self.near.step(x, near)
            found.append(x)
        if self.far is not None:
            x, far = self.far.step(x, far, lengths)
            found.append(x)
        return self.join(torch.cat(found, dim=2)), (near, far)

    def macs_by_part(self, n_frames: int) -> dict[str, int]:
        """Multiply-accumulates of each branch there is, and of what joins them."""
        parts = {"local": self.near, "global": self.far, "join": self.join}
        return {name: part.macs(n_frames) for name, part in parts.items() if part is not None}
