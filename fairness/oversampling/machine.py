"""Machine transcripts for the utterances that oversampling adds: what the model made of them before the repair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from earmark.bench.api import Example, HasInfo, InputError, Recognizer, Samples, Token, Transcribes, Turn, Unsupported
from earmark.models._blocks.repairs import at_rest

if TYPE_CHECKING:
    from numpy.random import Generator

BATCH = 32


@dataclass(frozen=True, slots=True)
class MachineTexts:
    """A transform: an utterance that was drawn as an addition says what the machine heard.

    ``texts`` by utterance, and in ``chances`` how likely a draw of it is an addition.
    """

    texts: Mapping[str, str]
    chances: Mapping[str, float]

    def __call__(self, example: Example, rng: Generator) -> Example:
        name = example.utterance_id
        if name not in self.chances or rng.random() >= self.chances[name]:
            return example
        (turn,) = example.turns
        return replace(example, turns=(Turn(self.texts[name], turn.start_s, turn.end_s, turn.speaker),))


def transcripts(model: HasInfo, examples: Iterator[Example], *, plugin: str) -> dict[str, str]:
    """What the model, in eval mode, says of each utterance, by its id; "" where it says nothing.

    Raises:
        InputError: an utterance of several turns.
        Unsupported: the model is no recognizer.
    """
    resting = at_rest(model)
    found: dict[str, str] = {}
    while batch := list(islice(examples, BATCH)):
        for example in batch:
            if len(example.turns) != 1:
                what = f"{example.utterance_id} has {len(example.turns)} turns, and machine transcripts know of one"
                raise InputError(what, where=plugin, fix="give labels = 'human'")
        said = _said(resting, [example.samples for example in batch], plugin)
        found |= {example.utterance_id: _text(tokens) for example, tokens in zip(batch, said, strict=True)}
    return found


def _said(model: HasInfo, batch: Sequence[Samples], plugin: str) -> Sequence[Sequence[Token]]:
    if isinstance(model, Transcribes):
        return model.transcribe(batch)
    if not isinstance(model, Recognizer):
        raise Unsupported(f"{plugin} with machine transcripts repairs recognizers: this model hears no words")
    said = []
    for samples in batch:
        stream = model.stream()
        said.append((*stream.accept(samples).final, *stream.finish().final))
    return said


def _text(tokens: Sequence[Token]) -> str:
    return " ".join("".join(token.text for token in tokens if token.kind == "text").split())
