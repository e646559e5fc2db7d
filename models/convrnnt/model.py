"""ConvRNN-T (https://arxiv.org/abs/2209.14868, section 3): LSTM layers over two causal convolutional branches.

The presets ``tiny`` and ``small`` are our own and have the parameters of ``rnnt``'s: 60 ms frames whose six parts are
channels of the local branch, LayerNorm after each LSTM layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from earmark.bench.api import InputError, Json
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models._blocks.recurrent import StreamingLSTM
from earmark.models.convrnnt.branches import Branches, BranchSizes, ConvFrontEnd

NAME = "convrnnt"
BRANCHES = ("both", "local", "global")


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """``projection`` 0 for none."""

    stack: int
    branches: BranchSizes
    hidden: int
    layers: int
    projection: int
    norm: bool
    swish: bool


ENCODERS = {
    "tiny": EncoderSizes(
        stack=6, branches=BranchSizes(planes=6, kernel=3, local=(16, 16, 16, 16), width=96, blocks=2, norm=True),
        hidden=184, layers=2, projection=0, norm=True, swish=False,
    ),
    "small": EncoderSizes(
        stack=6, branches=BranchSizes(planes=6, kernel=3, local=(32, 32, 16, 16), width=192, blocks=5, norm=True),
        hidden=448, layers=2, projection=0, norm=True, swish=False,
    ),
    "paper": EncoderSizes(
        stack=3, branches=BranchSizes(planes=1, kernel=5, local=(100, 100, 64, 64), width=192, blocks=6),
        hidden=640, layers=6, projection=512, norm=False, swish=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options(TransducerOptions):
    """What every transducer takes, and the ablation of the paper."""

    branches: str = "both"
    """``local`` or ``global`` leaves the other branch out."""


class ConvRnntEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (B, T, J). State: that of the convolutional front end, and of the LSTM layers."""

    def __init__(self, width: int, sizes: EncoderSizes, joint: int, *, branches: Branches, dropout: float) -> None:
        super().__init__()
        self.conv = ConvFrontEnd(width, sizes.branches, branches=branches, dropout=dropout)
        self.norm = nn.LayerNorm(sizes.branches.width) if sizes.norm else None
        self.lstm = StreamingLSTM(
            sizes.branches.width,
            sizes.hidden,
            sizes.layers,
            projection=sizes.projection or None,
            norm=sizes.norm,
            dropout=dropout,
            activation="swish" if sizes.swish else None,
        )
        self.output = nn.Linear(sizes.projection or sizes.hidden, joint)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, J)."""
        encoded: Tensor = self.output(self.lstm(self._normed(self.conv(x, lengths)), lengths))
        return encoded

    def start(self, batch: int) -> tuple[Any, Any]:
        return self.conv.start(batch), self.lstm.start(batch)

    def step(self, x: Tensor, state: tuple[Any, Any]) -> tuple[Tensor, tuple[Any, Any]]:
        """(B, k, D) and the state before -> (B, k, J) and the state after."""
        before, recurrent = state
        x, before = self.conv.step(x, before)
        x, recurrent = self.lstm.step(self._normed(x), recurrent)
        return self.output(x), (before, recurrent)

    def macs_by_part(self, n_frames: int) -> Mapping[str, int]:
        recurrent = self.lstm.macs(n_frames) + n_frames * self.output.weight.numel()
        return {**self.conv.macs_by_part(n_frames), "lstm": recurrent}

    def _normed(self, x: Tensor) -> Tensor:
        return x if self.norm is None else self.norm(x)


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Transducer:
    """A ConvRNN-T with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = Options.read(options, preset, ENCODERS, plugin=NAME)
    if chosen.branches not in BRANCHES:
        what = f"option 'branches' is {chosen.branches!r}"
        raise InputError(what, where=NAME, fix=f"give one of: {', '.join(BRANCHES)}")
    branches = cast("Branches", chosen.branches)
    sizes = ENCODERS[preset]

    def encoder(width: int, around: Sizes) -> ConvRnntEncoder:
        return ConvRnntEncoder(width, sizes, around.joint, branches=branches, dropout=around.dropout)

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device,
    )  # fmt: skip
