"""How good a model is on the dev split while it is trained: one number, lower is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from earmark.bench.api import Example, Progress, Trainable, Transcribes
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import WordErrors, score_many

BATCH = 32


@dataclass(frozen=True, slots=True)
class Dev:
    """Examples to choose a checkpoint by; ``normalizer`` that of the words."""

    examples: Sequence[Example]
    normalizer: str = "basic-1"

    def metric(self, model: object) -> str:
        """``wer`` where the model can transcribe offline, else ``loss``."""
        return "wer" if isinstance(model, Transcribes) else "loss"

    def __call__(self, model: Any) -> float:
        """The metric on the dev split, the model in eval mode."""
        with torch.no_grad():
            return self._wer(model.transcribe) if isinstance(model, Transcribes) else self._loss(model)

    def _wer(self, transcribe: Callable[..., list[tuple[Any, ...]]]) -> float:
        total = WordErrors()
        for batch in self._batches():
            said = transcribe([example.samples for example in batch])
            texts = ["".join(token.text for token in tokens if token.kind == "text") for tokens in said]
            wanted = [" ".join(turn.text for turn in example.turns) for example in batch]
            total = sum(score_many(self._normal(wanted), self._normal(texts)), total)
        return total.errors / max(1, total.reference_words)

    def _loss(self, model: Trainable[Any]) -> float:
        losses = []
        for batch in self._batches():
            terms = model.loss(model.collate(batch, np.random.default_rng(0)), Progress(0, 1)).terms
            losses.append(len(batch) * float(sum(terms.values())))
        return sum(losses) / len(self.examples)

    def _batches(self) -> list[list[Example]]:
        ordered = sorted(self.examples, key=lambda example: len(example.samples))
        return [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]

    def _normal(self, texts: Sequence[str]) -> list[str]:
        return [normalize(text, self.normalizer) for text in texts]
