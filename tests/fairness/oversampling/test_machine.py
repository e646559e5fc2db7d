"""Transcripts for additions: the same whether a model works in batches or in streams."""

from __future__ import annotations

import numpy as np
from fakes.recognizer import TinyRecognizer
from repairs import ToyTrainer

from earmark.bench.api import HasInfo, ModelInfo
from earmark.fairness.oversampling.machine import transcripts


class StreamsOnly:
    """A recognizer without an offline form."""

    def __init__(self, model: TinyRecognizer) -> None:
        self.model = model

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    def stream(self, condition: object = None) -> object:
        return self.model.stream()


def test_batches_and_streams_give_the_same_words() -> None:
    rng = np.random.default_rng(0)
    recordings = [(0.3 * rng.standard_normal(1600 * (4 + i % 5))).tolist() for i in range(40)]
    trainer = ToyTrainer(recordings, ["0"] * 40, ["north"] * 40)
    model = TinyRecognizer().eval()
    found = transcripts(model, trainer.examples(), plugin="unit")
    other: HasInfo = StreamsOnly(model)
    assert found == transcripts(other, trainer.examples(), plugin="unit")
    assert len(found) == 40
    assert len(set(found.values())) > 5
    assert all(text == " ".join(text.split()) for text in found.values())
