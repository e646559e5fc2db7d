"""From a preset and options to a transducer: what every plugin of the family does alike.

Predictor and joint of a preset are the same in every model, so that models differ in their encoders alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from earmark.bench.api import Json, Unsupported
from earmark.models._blocks.augment import MILD, NONE, SpecAugment, WaveAugment
from earmark.models._blocks.checks import check_preset, in_range, read_options
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.recognizer import Sizes, Transducer

if TYPE_CHECKING:
    from typing import Self

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T", bound=Transducer)
PRESETS = -1.0
"""Of an option: the preset's own value."""
AROUND = {
    "tiny": Sizes(joint=128, embedding=64, predictor=128, ctc=0.5, alignment=1.0),
    "small": Sizes(joint=320, embedding=128, predictor=256, ctc=0.5, alignment=1.0),
    "paper": Sizes(joint=512, embedding=256, predictor=640),
}
"""Predictor, joint and training loss of each preset; ``paper`` is ConvRNN-T, https://arxiv.org/abs/2209.14868, 4.1."""


@dataclass(frozen=True, slots=True)
class TransducerOptions:
    """Options that every transducer takes."""

    dropout: float = PRESETS
    """0 to 0.9; -1 leaves the preset's."""
    fastemit: float = 0.0
    """Lambda of FastEmit (https://arxiv.org/abs/2010.11148); 0 is the plain loss."""
    beam: int = 1
    """Hypotheses kept while streaming; 1 is greedy search."""
    prior_s: float = 0.0
    """See ``FrontEndConfig``: above 0, the running mean of the recording is taken off."""
    augment: bool = True
    """Change speed, level and noise of training recordings at random."""
    ctc: float = PRESETS
    """Weight of a CTC loss on the encoder while training; -1 leaves the preset's, 0 is none."""
    alignment: float = PRESETS
    """Weight of what the encoder is shown of words whose times are known; -1 leaves the preset's, 0 is nothing."""
    condition: int = 0
    """Numbers of a condition beside the audio, such as the cohort of the speaker; 0 is none."""

    @classmethod
    def read(
        cls, options: Mapping[str, Json], preset: str, presets: Sequence[str] | Mapping[str, object], *, plugin: str
    ) -> Self:
        """Checked options of a plugin whose presets are these; InputError says what is wrong."""
        check_preset(preset, tuple(presets), plugin=plugin)
        chosen = read_options(cls, options, plugin=plugin)
        if chosen.dropout != PRESETS:
            in_range("dropout", chosen.dropout, 0.0, 0.9, plugin=plugin)
        if chosen.ctc != PRESETS:
            in_range("ctc", chosen.ctc, 0.0, 10.0, plugin=plugin)
        if chosen.alignment != PRESETS:
            in_range("alignment", chosen.alignment, 0.0, 10.0, plugin=plugin)
        in_range("fastemit", chosen.fastemit, 0.0, 1.0, plugin=plugin)
        in_range("beam", chosen.beam, 1, 64, plugin=plugin)
        in_range("prior_s", chosen.prior_s, 0.0, 60.0, plugin=plugin)
        in_range("condition", chosen.condition, 0, 1024, plugin=plugin)
        return chosen

    def front(self, preset: FrontEndConfig) -> FrontEndConfig:
        return replace(preset, prior_s=self.prior_s)

    def around(self, preset: Sizes) -> Sizes:
        dropout = preset.dropout if self.dropout == PRESETS else self.dropout
        ctc = preset.ctc if self.ctc == PRESETS else self.ctc
        alignment = preset.alignment if self.alignment == PRESETS else self.alignment
        return replace(
            preset,
            dropout=dropout,
            fastemit=self.fastemit,
            beam=self.beam,
            ctc=ctc,
            alignment=alignment,
            condition=self.condition,
        )

    def waves(self) -> WaveAugment:
        return WaveAugment() if self.augment else NONE


def seeded(make: Callable[[], M], seed: int, device: str) -> M:
    """What ``make`` gives, its weights drawn from ``seed`` on the CPU, on ``device`` and ready to be used.

    Raises:
        Unsupported: a CUDA device is asked for where there is none.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Unsupported(f"device {device!r}: this torch sees no CUDA device")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().to(device).eval()


def assemble(
    make_encoder: Callable[[int, Sizes], nn.Module],
    *,
    preset: str,
    stack: int,
    options: TransducerOptions,
    vocabulary: Sequence[str] | None,
    plugin: str,
    seed: int,
    device: str,
    kind: Callable[..., T] = Transducer,  # type: ignore[assignment]
    sizes: Sizes | None = None,
) -> T:
    """A transducer of a preset with random weights.

    Args:
        make_encoder: from the width of a stacked frame and the sizes around the encoder.
        stack: short frames in a frame of the encoder.
        vocabulary: pieces; None: letters.
        kind: what is made of it; takes what a ``Transducer`` takes.
        sizes: around the encoder; None: those that all models of this preset share.
    """
    front, around = options.front(FrontEndConfig(stack=stack)), options.around(sizes or AROUND[preset])

    def make() -> T:
        return kind(
            make_encoder(front.width, around),
            front=front,
            sizes=around,
            vocabulary=vocabulary,
            plugin=plugin,
            waves=options.waves(),
            masks=SpecAugment() if preset == "paper" else MILD,
        )

    return seeded(make, seed, device)
