"""A causal ContextNet transducer (https://arxiv.org/abs/2005.03191) as ConvRNN-T is compared with
(https://arxiv.org/abs/2209.14868, section 4): causal convolutions without strides, a mean of the past in each gate.

The presets ``tiny`` and ``small`` are our own and have the parameters of ``rnnt``'s: fewer and narrower blocks over
60 ms frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from earmark.bench.api import Json
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models.contextnet.blocks import ContextBlock

NAME = "contextnet"
State: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """``channels`` of each block, times ``alpha`` (section 2.2.6); the first and the last have one layer, the others
    ``layers`` and a residual connection.
    """

    stack: int
    alpha: float
    channels: Sequence[int]
    layers: int
    kernel: int

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(round(self.alpha * channels) for channels in self.channels)


ENCODERS = {
    "tiny": EncoderSizes(stack=6, alpha=0.5625, channels=[256] * 6 + [320], layers=3, kernel=5),
    "small": EncoderSizes(stack=6, alpha=0.75, channels=[256] * 5 + [512] * 4, layers=5, kernel=5),
    "paper": EncoderSizes(stack=3, alpha=1.0, channels=[256] * 15 + [512] * 8, layers=5, kernel=5),
}


class ContextNetEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (B, T, J), as many as came in. State: that of each block."""

    def __init__(self, width: int, sizes: EncoderSizes, joint: int, dropout: float) -> None:
        super().__init__()
        ends = (width, *sizes.widths)
        last = len(sizes.channels) - 1
        self.blocks = nn.ModuleList(
            ContextBlock(
                ends[i],
                ends[i + 1],
                layers=sizes.layers if 0 < i < last else 1,
                kernel=sizes.kernel,
                residual=0 < i < last,
                dropout=dropout,
            )
            for i in range(len(sizes.channels))
        )
        self.output = nn.Linear(ends[-1], joint)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, J)."""
        return self.step(x, self.start(len(x)), lengths)[0]

    def start(self, batch: int) -> State:
        return tuple(block.start(batch) for block in self._each())

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, D) and the state before -> (B, k, J) and the state after; ``lengths`` count in training."""
        after = []
        for block, before in zip(self._each(), state, strict=True):
            x, kept = block.step(x, before, lengths)
            after.append(kept)
        return self.output(x), tuple(after)

    def macs_by_part(self, n_frames: int) -> Mapping[str, int]:
        blocks = sum(block.macs(n_frames) for block in self._each())
        return {"blocks": blocks, "output": n_frames * self.output.weight.numel()}

    def _each(self) -> list[ContextBlock]:
        return [block for block in self.blocks if isinstance(block, ContextBlock)]


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Transducer:
    """A ContextNet transducer with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = TransducerOptions.read(options, preset, ENCODERS, plugin=NAME)
    sizes = ENCODERS[preset]

    def encoder(width: int, around: Sizes) -> ContextNetEncoder:
        return ContextNetEncoder(width, sizes, around.joint, around.dropout)

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device,
    )  # fmt: skip
