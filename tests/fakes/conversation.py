"""A conversation model: two output channels in turn, with start and end of every turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from earmark.bench.api import Condition, Example, Losses, ModelInfo, Progress, Samples, Token, TokenKind, Update
from fakes.engine import LoudnessStream
from fakes.recognizer import FRAME, HIDDEN, LETTERS, RATE_HZ, TinyRecognizer, TinyStream, builder

N_CHANNELS = 2
TalkBatch = tuple[Tensor, Tensor]


class TurnTaker:
    info = ModelInfo(16_000, trained_on=("nothing",))

    def stream(self, condition: Condition | None = None) -> TurnStream:
        return TurnStream()


class TurnStream:
    """Each word of the engine is a turn of its own; turns alternate between channels 0 and 1."""

    def __init__(self) -> None:
        self.inner, self.n_turns = LoudnessStream(), 0

    def accept(self, samples: Samples) -> Update:
        return self.as_turns(self.inner.accept(samples))

    def finish(self) -> Update:
        return self.as_turns(self.inner.finish())

    def as_turns(self, update: Update) -> Update:
        final = tuple(token for word in update.final for token in self.turn(word))
        partial = update.partial and tuple(replace(token, channel=self.n_turns % 2) for token in update.partial)
        return Update(final, partial)

    def turn(self, word: Token) -> tuple[Token, Token, Token]:
        channel, self.n_turns = self.n_turns % 2, self.n_turns + 1
        around = replace(word, text="", channel=channel)
        start, end = replace(around, kind="start_of_turn"), replace(around, kind="end_of_turn")
        return start, replace(word, channel=channel), end


class TinyConversation(TinyRecognizer):
    """The tiny recognizer with an output for each of two channels; a run of letters is a turn. Learns, streams, counts.

    ``loss`` asks for the number of turns on each channel, which is enough to see where examples went.
    """

    def __init__(self, letters: Sequence[str] = LETTERS, condition_size: int = 0) -> None:
        super().__init__(letters, condition_size)
        self.other = nn.Linear(HIDDEN, len(self.letters) + 1)
        with torch.no_grad():
            self.other.weight *= 4.0

    def stream(self, condition: Condition | None = None) -> TalkStream:
        return TalkStream(self, condition)

    def collate(self, examples: Sequence[Example], rng: Generator) -> TalkBatch:  # type: ignore[override]
        frames = np.stack([np.resize(example.samples, FRAME) for example in examples])
        n_turns = [[sum(t.channel == n for t in e.turns) for n in range(N_CHANNELS)] for e in examples]
        return torch.from_numpy(frames), torch.tensor(n_turns).clamp(max=len(self.letters))

    def loss(self, batch: TalkBatch, progress: Progress) -> Losses:  # type: ignore[override]
        scores, hidden = self.step(batch[0], torch.zeros(len(batch[0]), HIDDEN), None)
        first, second = cross_entropy(scores, batch[1][:, 0]), cross_entropy(self.other(hidden), batch[1][:, 1])
        return Losses({"first": first, "second": second})


class TalkStream(TinyStream):
    def __init__(self, model: TinyConversation, condition: Condition | None) -> None:
        super().__init__(model, condition)
        self.letters = [0] * N_CHANNELS

    def hear(self, frame: Samples) -> list[Token]:
        model = cast(TinyConversation, self.model)
        with torch.inference_mode():
            row = torch.from_numpy(frame.copy())[None].to(self.hidden.device)
            scores, self.hidden = model.step(row, self.hidden, self.condition)
            best = [int(scores.argmax()), int(model.other(self.hidden).argmax())]
        self.n_frames += 1
        return [token for channel, letter in enumerate(best) for token in self.said(channel, letter)]

    def said(self, channel: int, letter: int) -> list[Token]:
        before, self.letters[channel] = self.letters[channel], letter
        around: list[tuple[TokenKind, str]] = []
        if letter and not before:
            around.append(("start_of_turn", ""))
        if letter and letter != before:
            around.append(("text", self.model.letters[letter - 1]))
        if before and not letter:
            around.append(("end_of_turn", ""))
        return [Token(text, channel, kind, self.n_frames * FRAME / RATE_HZ) for kind, text in around]

    def work(self) -> Mapping[str, int]:
        outputs = self.n_frames * HIDDEN * (len(self.model.letters) + 1)
        return {**super().work(), "output": N_CHANNELS * outputs}


build = builder(TinyConversation)
