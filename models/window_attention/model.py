"""Transformer-Transducer whose frames look back over a fixed window: what the amortized one is compared with
(https://arxiv.org/abs/2207.02393, section 4: the current and 10 past frames).

Sizes are those of ``amortized``; ``tiny`` and ``small`` are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.bench.api import Json
from earmark.models._blocks.attending import AROUND_TRANSFORMERS, TRANSFORMERS, AttendingTransducer
from earmark.models._blocks.checks import in_range
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes
from earmark.models._blocks.transformer_encoder import TransformerEncoder

NAME = "window_attention"
DENSE_S = 60.0
"""What the attention would look back over that savings are measured by; that of ``amortized``."""


@dataclass(frozen=True, slots=True)
class Options(TransducerOptions):
    """What every transducer takes, and how far this one looks back."""

    window: int = 10
    """Past frames that a frame sees beside itself, in each block."""


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> AttendingTransducer:
    """A Transformer-Transducer with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = Options.read(options, preset, TRANSFORMERS, plugin=NAME)
    in_range("window", chosen.window, 0, 10_000, plugin=NAME)
    sizes = TRANSFORMERS[preset]
    dense = max(chosen.window + 1, round(DENSE_S / FrontEndConfig(stack=sizes.stack).frame_s))

    def encoder(width: int, around: Sizes) -> TransformerEncoder:
        return TransformerEncoder(
            width, sizes, around.joint, dropout=around.dropout, context=chosen.window + 1, dense_context=dense
        )  # fmt: skip

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device, kind=AttendingTransducer, sizes=AROUND_TRANSFORMERS[preset],
    )  # fmt: skip
