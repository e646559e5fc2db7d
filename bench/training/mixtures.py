"""Conversations to learn from, made when they are needed: a number gives the same one every time, and none is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from earmark.bench.api import Example, Samples, Table
from earmark.bench.corpora.conversations.build import drawn, rooms_of
from earmark.bench.corpora.conversations.mixing import Pool, heard, turns_of, utterance_of
from earmark.bench.corpora.conversations.plan import Plan
from earmark.bench.corpora.conversations.rules import Rules
from earmark.bench.training.data import TrainingData

SPLIT = "train"


@dataclass(frozen=True)
class Mixtures:
    """``n`` conversations of the talkers in ``singles``, whose recordings are at ``rate_hz``."""

    singles: TrainingData
    rules: Rules
    n: int
    rate_hz: int

    @cached_property
    def pool(self) -> Pool:
        utterances = []
        for example in self.singles.examples():
            (turn,) = example.turns
            utterances.append(utterance_of(turn.speaker or "", turn.text, turn.words, example.samples, self.rate_hz))
        return Pool(self.rate_hz, utterances, self.singles.sound)

    @cached_property
    def plans(self) -> list[Plan]:
        return list(drawn(self.pool, self.rules, SPLIT, range(self.n)))

    @property
    def rows(self) -> Table:
        return pa.table({"utterance_id": [_name(number) for number in range(self.n)], "duration_s": self.durations})

    @property
    def durations(self) -> list[float]:
        """From the first turn's speech to the last one's, in seconds."""
        lengths = [u.end_s - u.start_s for u in self.pool.utterances]
        return [max(turn.start_s + lengths[turn.place] for turn in plan.turns) for plan in self.plans]

    @property
    def speakers(self) -> list[str | None]:
        return [None] * self.n

    def example(self, place: int) -> Example:
        plan = self.plans[place]
        samples: Samples = heard(plan, self.pool, rooms=rooms_of(self.rules, SPLIT))
        return Example(_name(place), samples, turns_of(plan, self.pool))

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        """Examples of these places, or of all."""
        return map(self.example, range(self.n) if where is None else where)


@dataclass(frozen=True)
class SingleTalkers:
    """The recordings that conversations are mixed from, each as a conversation of one turn on channel 0."""

    singles: TrainingData

    @property
    def rows(self) -> Table:
        return self.singles.rows

    @property
    def durations(self) -> list[float]:
        return self.singles.durations

    @property
    def speakers(self) -> list[str | None]:
        return self.singles.speakers

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        """Examples of these places, or of all; a turn lies where its speech does."""
        return map(_alone, self.singles.examples(where))


def _alone(example: Example) -> Example:
    (turn,) = example.turns
    words = turn.words
    start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (turn.start_s, turn.end_s)
    return replace(example, turns=(replace(turn, start_s=start_s, end_s=end_s, channel=0),))


def _name(number: int) -> str:
    return f"{SPLIT}-{number:06d}"
