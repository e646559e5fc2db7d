"""A conversation model: two output channels in turn, with start and end of every turn."""

from __future__ import annotations

from dataclasses import replace

from earmark.bench.api import Condition, ModelInfo, Samples, Token, Update
from fakes.engine import LoudnessStream


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
