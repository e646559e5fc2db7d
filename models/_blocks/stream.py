"""One recording on its way through a transducer: frames, encoder, search, tokens, in the order audio takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from earmark.bench.api import Condition, Samples, Token, Update
from earmark.models._blocks import search
from earmark.models._blocks.beam import BeamSearch
from earmark.models._blocks.checks import check_samples
from earmark.models._blocks.condition import read_conditions
from earmark.models._blocks.frontend import FrontEndStream
from earmark.models._blocks.search import Emitted

if TYPE_CHECKING:
    from earmark.models._blocks.recognizer import Transducer


class TransducerStream:
    """Greedy search says every token for good; beam search shows its best hypothesis as a partial until the end.

    State: what the front end keeps, what the condition adds to a frame (1, 1, width) where the model takes one, the
    encoder's state, and for each channel the hypotheses of the search with the predictor's state.
    """

    def __init__(self, model: Transducer, condition: Condition | None = None) -> None:
        self.model = model
        conditions = read_conditions([condition], model.condition, plugin=model.plugin)
        self.front = FrontEndStream(model.front)
        self.encoder_macs: Counter[str] = Counter()
        self.n_frames = 0
        with torch.inference_mode():
            self.shift: Tensor | None = None
            self.told: dict[str, int] = {}
            if model.condition is not None and conditions is not None:
                self.shift = model.condition.shift(conditions)
                self.told["condition"] = model.condition.macs(1)
            self.encoder_state: Any = model.encoder.start(1)
            kind = _Beam if model.sizes.beam > 1 else _Greedy
            self.searches: list[Any] = [kind(model) for _ in range(model.n_channels)]

    def accept(self, samples: Samples) -> Update:
        check_samples(samples, plugin=self.model.plugin)
        with torch.inference_mode():
            return self._hear(self.front.accept(samples))

    def finish(self) -> Update:
        with torch.inference_mode():
            update = self._hear(self.front.finish() if self.front.n_samples else None)
            return Update((*update.final, *self._tokens([search.close() for search in self.searches])), ())

    def work(self) -> Mapping[str, int]:
        """MACs executed so far: condition where there is one, mel product, encoder by part, predictor, joint."""
        front = {"front_end": self.model.front.macs(self.n_frames), **self.told}
        searched = [search.work() for search in self.searches]
        return {**front, **self.encoder_work(), **{part: sum(work[part] for work in searched) for part in searched[0]}}

    def encoder_work(self) -> Mapping[str, int]:
        return {**self.model.encoder.macs_by_part(0), **self.encoder_macs}

    def _hear(self, frames: Tensor | None) -> Update:
        if frames is None:
            return Update()
        frames = frames if self.shift is None else frames + self.shift
        encoded, self.encoder_state = self.model.encoder.step(frames, self.encoder_state)
        heard = [search.advance(row, self.n_frames) for search, row in zip(self.searches, encoded, strict=True)]
        self.n_frames += frames.shape[1]
        self.encoder_macs.update(self.model.encoder.macs_by_part(frames.shape[1]))
        final = self._tokens([row for row, _ in heard])
        partials = [row for _, row in heard if row is not None]
        return Update(final, self._tokens(partials) if partials else None)

    def _tokens(self, channels: list[list[Emitted]]) -> tuple[Token, ...]:
        """Of each channel the labels that it said, in the order of their frames."""
        token = self.model.pieces.token
        return tuple(
            token(label, channel=channel, audio_s=self.front.time_s(frame))
            for channel, (frame, label) in search.in_order(channels)
        )


class _Greedy:
    def __init__(self, model: Transducer) -> None:
        self.model = model
        self.state = search.greedy_start(model.predictor)
        self.n_joint, self.n_predictor = 0, 1

    def advance(self, encoded: Tensor, first: int) -> tuple[list[Emitted], None]:
        model = self.model
        found, self.state, n_joint, n_predictor = search.greedy(
            model.predictor, model.joint, encoded, self.state, max_symbols=model.sizes.max_symbols
        )
        self.n_joint += n_joint
        self.n_predictor += n_predictor
        return [(first + t, label) for t, label in found], None

    def close(self) -> list[Emitted]:
        return []

    def work(self) -> dict[str, int]:
        return {"predictor": self.model.predictor.macs(self.n_predictor), "joint": self.model.joint.macs(self.n_joint)}


class _Beam:
    """The best hypothesis is shown as a partial; it is final when the recording has ended."""

    def __init__(self, model: Transducer) -> None:
        self.model = model
        self.beam = BeamSearch(model.predictor, model.joint, model.sizes.beam, model.sizes.max_symbols)

    def advance(self, encoded: Tensor, _first: int) -> tuple[list[Emitted], list[Emitted]]:
        self.beam.advance(encoded)
        return [], self.beam.best

    def close(self) -> list[Emitted]:
        return self.beam.best

    def work(self) -> dict[str, int]:
        n_joint, n_predictor = self.beam.n_joint, self.beam.n_predictor
        return {"predictor": self.model.predictor.macs(n_predictor), "joint": self.model.joint.macs(n_joint)}
