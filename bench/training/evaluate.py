"""How good a model is on the dev split while it is trained: one number, lower is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earmark.bench.api import Example, Progress, SpeakerEmbedder, Token, Trainable, Transcribes
from earmark.bench.metrics.conversation import Mark, Recording, SpokenTurn, orc, read_turns
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.verification import equal_error_rate
from earmark.bench.metrics.words import WordErrors, score_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 32


@dataclass(frozen=True, slots=True)
class Dev:
    """Examples to choose a checkpoint by; ``normalizer`` that of the words."""

    examples: Sequence[Example]
    normalizer: str = "basic-1"

    def metric(self, model: object) -> str:
        """``wer`` (``orc_wer`` where turns have channels) if the model can transcribe offline, ``eer`` if it embeds
        speakers and there are trials, else ``loss``.
        """
        if isinstance(model, Transcribes):
            return "orc_wer" if self._by_turns else "wer"
        return "eer" if isinstance(model, SpeakerEmbedder) and len(self._same_speaker()) else "loss"

    @property
    def _by_turns(self) -> bool:
        return any(turn.channel is not None for example in self.examples for turn in example.turns)

    def __call__(self, model: Any) -> float:
        """The metric on the dev split, the model in eval mode."""
        with torch.no_grad():
            if not isinstance(model, Transcribes):
                return self._eer(model) if self.metric(model) == "eer" else self._loss(model)
            return (self._orc_wer if self._by_turns else self._wer)(model.transcribe)

    def _wer(self, transcribe: Callable[..., list[tuple[Any, ...]]]) -> float:
        total = WordErrors()
        for batch in self._batches():
            said = transcribe([example.samples for example in batch])
            texts = ["".join(token.text for token in tokens if token.kind == "text") for tokens in said]
            wanted = [" ".join(turn.text for turn in example.turns) for example in batch]
            total = sum(score_many(self._normal(wanted), self._normal(texts)), total)
        return total.errors / max(1, total.reference_words)

    def _orc_wer(self, transcribe: Callable[..., list[tuple[Token, ...]]]) -> float:
        recordings = []
        for batch in self._batches():
            said = transcribe([example.samples for example in batch])
            recordings += [self._recording(e, tokens) for e, tokens in zip(batch, said, strict=True)]
        total = sum(orc(recordings).errors.values(), WordErrors())
        return total.errors / max(1, total.reference_words)

    def _recording(self, example: Example, tokens: Sequence[Token]) -> Recording:
        said = read_turns([Mark(t.channel, t.kind, t.text, t.audio_s or 0.0) for t in tokens])
        spoken = [SpokenTurn(normalize(t.text, self.normalizer), t.start_s, t.end_s) for t in example.turns]
        heard = [turn.normalized(lambda text: normalize(text, self.normalizer)) for turn in said]
        return Recording(example.utterance_id, spoken, heard)

    def _eer(self, model: SpeakerEmbedder) -> float:
        """Of every pair of recordings whose speakers are known."""
        rows = [model.embed(e.samples[None], np.array([len(e.samples)]))[0] for e in self._named()]
        vectors = np.stack(rows).astype(np.float64)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        scores, same = (unit @ unit.T)[np.triu_indices(len(unit), 1)], self._same_speaker()
        return equal_error_rate(scores[same], scores[~same])

    def _named(self) -> list[Example]:
        return [example for example in self.examples if example.turns[0].speaker]

    def _same_speaker(self) -> NDArray[np.bool_]:
        """Of each pair of recordings with a speaker, whether it is the same; nothing where all are, or none."""
        who = np.array([example.turns[0].speaker for example in self._named()])
        same: NDArray[np.bool_] = (who[:, None] == who[None, :])[np.triu_indices(len(who), 1)]
        return same if same.any() and not same.all() else same[:0]

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
