"""RNN-T (Graves 2012, https://arxiv.org/abs/1211.3711) with the encoder that ConvRNN-T is compared with
(https://arxiv.org/abs/2209.14868, section 4): LSTM layers, each with a projection and a Swish.

The presets ``tiny`` and ``small`` are our own, made to learn within minutes on two cores: 60 ms frames, a causal
convolution over three of them, LayerNorm after each layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from earmark.bench.api import Json
from earmark.models._blocks.conv import Stem
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models._blocks.recurrent import StreamingLSTM

NAME = "rnnt"


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """``stem`` is the width of the convolution, 0 for none; ``projection`` 0 for none."""

    stack: int
    stem: int
    hidden: int
    layers: int
    projection: int
    norm: bool
    swish: bool


ENCODERS = {
    "tiny": EncoderSizes(stack=6, stem=192, hidden=192, layers=2, projection=0, norm=True, swish=False),
    "small": EncoderSizes(stack=6, stem=384, hidden=448, layers=3, projection=0, norm=True, swish=False),
    "paper": EncoderSizes(stack=3, stem=0, hidden=640, layers=7, projection=640, norm=False, swish=True),
}


class RnntEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (B, T, J).

    State: the last two frames of the stem where there is one, and (h, c) of each LSTM layer.
    """

    def __init__(self, width: int, sizes: EncoderSizes, joint: int, dropout: float) -> None:
        super().__init__()
        self.stem = Stem(width, sizes.stem) if sizes.stem else None
        self.lstm = StreamingLSTM(
            sizes.stem or width,
            sizes.hidden,
            sizes.layers,
            projection=sizes.projection or None,
            norm=sizes.norm,
            dropout=dropout,
            activation="swish" if sizes.swish else None,
        )
        self.output = nn.Linear(sizes.projection or sizes.hidden, joint)
        self.width_out = joint

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, J)."""
        if self.stem is not None:
            x = self.stem(x, lengths)
        encoded: Tensor = self.output(self.lstm(x, lengths))
        return encoded

    def start(self, batch: int) -> tuple[Any, Any]:
        return (self.stem.start(batch) if self.stem is not None else ()), self.lstm.start(batch)

    def step(self, x: Tensor, state: tuple[Any, Any]) -> tuple[Tensor, tuple[Any, Any]]:
        """(B, k, D) and the state before -> (B, k, J) and the state after."""
        before, recurrent = state
        if self.stem is not None:
            x, before = self.stem.step(x, before)
        x, recurrent = self.lstm.step(x, recurrent)
        return self.output(x), (before, recurrent)

    def macs(self, n_frames: int) -> int:
        stem = self.stem.macs(n_frames) if self.stem is not None else 0
        return stem + self.lstm.macs(n_frames) + n_frames * self.output.weight.numel()

    def macs_by_part(self, n_frames: int) -> Mapping[str, int]:
        return {"encoder": self.macs(n_frames)}


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Transducer:
    """An RNN-T with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = TransducerOptions.read(options, preset, ENCODERS, plugin=NAME)
    sizes = ENCODERS[preset]

    def encoder(width: int, around: Sizes) -> RnntEncoder:
        return RnntEncoder(width, sizes, around.joint, around.dropout)

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device,
    )  # fmt: skip
