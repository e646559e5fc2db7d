"""A transducer around a Transformer encoder, a Transformer-Transducer (https://arxiv.org/abs/2002.02562): its presets,
and what its streams tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from earmark.bench.api import Condition, Samples, Update
from earmark.models._blocks.loudness import Loudness
from earmark.models._blocks.options import AROUND
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models._blocks.stream import TransducerStream
from earmark.models._blocks.transformer import TransformerSizes
from earmark.models._blocks.transformer_encoder import GATES

TRANSFORMERS = {
    "tiny": TransformerSizes(stack=6, stem=3, width=120, blocks=4, heads=4, ffn=480),
    "small": TransformerSizes(stack=6, stem=3, width=280, blocks=5, heads=4, ffn=1120),
    "paper": TransformerSizes(stack=3, width=516, blocks=12, heads=4, ffn=1024),
}
"""Of the encoder; ``paper`` is https://arxiv.org/abs/2207.02393, section 4, the others are our own."""
AROUND_TRANSFORMERS: dict[str, Sizes] = {
    **AROUND,
    "paper": Sizes(joint=512, embedding=512, predictor=1024, predictor_layers=2),
}
"""Predictor, joint and training loss; only ``paper`` differs from what other models have."""

STEADY_S = 10.0
"""A model that looks back farther says that its work grows for a while."""


class AttendingStream(TransducerStream):
    """Its work is what was executed, its dense work what everything would have taken; probes say what was on, and how
    much of it where the recording is loud and where it is quiet. Its tail of silence is in neither.
    """

    def __init__(self, model: AttendingTransducer) -> None:
        super().__init__(model)
        config = model.front.config
        self.loudness = Loudness(config.stack * config.hop, GATES)

    def accept(self, samples: Samples) -> Update:
        (state,) = self.encoder_state
        state.shares = None
        update = super().accept(samples)
        if self.model.encoder.n_decided:
            self.loudness.note(samples, state.shares)
        return update

    def encoder_work(self) -> Mapping[str, int]:
        work: Mapping[str, int] = self.model.encoder.work(self.encoder_state)
        return work

    def dense_work(self) -> Mapping[str, int]:
        """MACs of the encoder's parts with everything on, all earlier frames in sight and nothing that decides."""
        work: Mapping[str, int] = self.model.encoder.dense_work(self.encoder_state)
        return work

    def probes(self) -> Mapping[str, float]:
        return {**self.model.encoder.probes(self.encoder_state), **self.loudness.probes()}


class AttendingTransducer(Transducer):
    """A transducer whose encoder is a :class:`TransformerEncoder`."""

    @property
    def work_grows(self) -> bool:
        """Whether a frame costs the more the more was heard, which ends when ``context`` frames are in sight."""
        return bool(self.encoder.context * self.front.config.frame_s > STEADY_S)

    def stream(self, condition: Condition | None = None) -> AttendingStream:  # noqa: ARG002 - takes none
        """A recording on its way through the model."""
        return AttendingStream(self)
