"""A causal Conformer transducer (https://arxiv.org/abs/2005.08100) as ConvRNN-T is compared with
(https://arxiv.org/abs/2209.14868, section 4): attention to the past alone, causal convolutions.

The presets ``tiny`` and ``small`` are our own and have the parameters of ``rnnt``'s: 60 ms frames, its causal
convolution over three of them in place of the strided ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from earmark.bench.api import Json
from earmark.models._blocks.conv import Stem
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models.conformer.blocks import ConformerBlock
from earmark.models.conformer.subsampling import Subsampling

NAME = "conformer"
State: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """``channels`` are those of the strided convolutions, 0 for a causal one over three frames in their place.

    ``left`` is how many frames back attention sees, ``kernel`` how many frames a convolution sees.
    """

    stack: int
    channels: int
    width: int
    heads: int
    feed_forward: int
    layers: int
    kernel: int
    left: int


ENCODERS = {
    "tiny": EncoderSizes(stack=6, channels=0, width=96, heads=4, feed_forward=288, layers=4, kernel=8, left=32),
    "small": EncoderSizes(stack=6, channels=0, width=192, heads=4, feed_forward=720, layers=6, kernel=16, left=64),
    "paper": EncoderSizes(
        stack=12, channels=128, width=256, heads=4, feed_forward=1024, layers=14, kernel=32, left=128
    ),
}


class ConformerEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (B, T, J). State: that of the convolutions before the blocks, and of each block."""

    def __init__(self, width: int, sizes: EncoderSizes, joint: int, dropout: float) -> None:
        super().__init__()
        strided = sizes.channels > 0
        self.stem = Subsampling(width, sizes.channels, sizes.width) if strided else Stem(width, sizes.width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            ConformerBlock(
                sizes.width,
                heads=sizes.heads,
                left=sizes.left,
                feed_forward=sizes.feed_forward,
                kernel=sizes.kernel,
                dropout=dropout,
            )
            for _ in range(sizes.layers)
        )
        self.output = nn.Linear(sizes.width, joint)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, J)."""
        return self.step(x, self.start(len(x)), lengths)[0]

    def start(self, batch: int) -> State:
        return self.stem.start(batch), tuple(block.start(batch) for block in self._each())

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, D) and the state before -> (B, k, J) and the state after; ``lengths`` count in training."""
        stem, inside = state
        x, stem = self.stem.step(x, stem)
        x, after = self.dropout(x), []
        for block, before in zip(self._each(), inside, strict=True):
            x, kept = block.step(x, before, lengths)
            after.append(kept)
        return self.output(x), (stem, tuple(after))

    def macs_by_part(self, n_frames: int) -> Mapping[str, int]:
        """Multiply-accumulates of ``n_frames`` frames that come at once."""
        parts = Counter(stem=self.stem.macs(n_frames), output=n_frames * self.output.weight.numel())
        for block in self._each():
            parts.update(block.macs_by_part(n_frames))
        return parts

    def _each(self) -> list[ConformerBlock]:
        return [block for block in self.blocks if isinstance(block, ConformerBlock)]


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Transducer:
    """A Conformer transducer with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = TransducerOptions.read(options, preset, ENCODERS, plugin=NAME)
    sizes = ENCODERS[preset]

    def encoder(width: int, around: Sizes) -> ConformerEncoder:
        return ConformerEncoder(width, sizes, around.joint, around.dropout)

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device,
    )  # fmt: skip
