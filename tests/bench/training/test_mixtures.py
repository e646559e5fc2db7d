"""Conversations mixed in training: the same by number, within the rules, and single talkers before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fakes.conversation import TinyConversation

from earmark.bench.api import Example, Progress
from earmark.bench.corpora.conversations.rules import Rules
from earmark.bench.corpora.schema import complete
from earmark.bench.training.data import TrainingData, load
from earmark.bench.training.loop import Course, fit
from earmark.bench.training.mixtures import Mixtures, SingleTalkers
from earmark.bench.training.recipe import Recipe

RATE, LENGTH_S = 16_000, 1.0
RULES = Rules(max_turns=3, silence_s=0.0)


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Eight recordings of noise by four speakers, with a word from 0.1 s to 0.9 s."""
    import soundfile

    folder, rng, rows = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0), []
    for number in range(8):
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(round(LENGTH_S * RATE)), RATE)
        row: dict[str, Any] = {"id": f"u{number}", "audio": {"bytes": None, "path": str(path)}, "text": "word"}
        words = [{"word": "word", "start": 0.1, "end": 0.9}]
        rows.append(complete({**row, "words": words, "speaker": f"s{number % 4}", "split": "train", "duration_s": 1.0}))
    return load(rows, rate_hz=RATE, cache=folder, key="unit", progress=lambda *_: None)


def test_a_number_gives_the_same_conversation_whatever_was_made_before(singles: TrainingData) -> None:
    one, two = Mixtures(singles, RULES, 6, RATE), Mixtures(singles, RULES, 6, RATE)
    *_, last = one.examples()
    again = two.example(5)
    assert np.array_equal(last.samples, again.samples)
    assert last.turns == again.turns
    assert one.durations == two.durations
    assert Mixtures(singles, RULES, 20, RATE).durations[:6] == one.durations


def test_words_lie_in_their_turns_and_every_turn_has_a_channel(singles: TrainingData) -> None:
    for example in Mixtures(singles, RULES, 12, RATE).examples():
        for turn in example.turns:
            assert turn.channel in (0, 1)
            (word,) = turn.words
            assert (word.start_s, word.end_s) == pytest.approx((turn.start_s, turn.end_s))
            assert turn.end_s - turn.start_s == pytest.approx(0.8)
        assert max(turn.end_s for turn in example.turns) <= len(example.samples) / RATE


def test_single_talkers_are_the_recordings_themselves(singles: TrainingData) -> None:
    (example,) = SingleTalkers(singles).examples([3])
    (turn,) = example.turns
    assert np.array_equal(example.samples, singles.example(3).samples)
    assert (turn.channel, turn.start_s, turn.end_s) == (0, pytest.approx(0.1), pytest.approx(0.9))


class Noting(TinyConversation):
    """Keeps how many turns the examples of each step have."""

    seen: list[list[int]]

    def collate(self, examples: Any, rng: np.random.Generator) -> Any:
        batch: list[Example] = list(examples)
        self.seen.append([len(example.turns) for example in batch])
        return super().collate(batch, rng)

    def loss(self, batch: Any, progress: Progress) -> Any:
        return super().loss(batch, progress)


def test_a_training_begins_with_single_talkers(singles: TrainingData) -> None:
    torch.manual_seed(0)
    model = Noting()
    model.seen = []
    mixtures = Mixtures(singles, Rules(max_turns=3, rooms=0.0), 40, RATE)
    recipe = Recipe(steps=5, batch_size=4, warmup=1, threads=1)
    course = Course(mixtures, recipe, seed=3, first=SingleTalkers(singles), first_steps=2)
    trained, standing = fit(model, course)
    assert standing.done == 5
    assert all(n == 1 for step in trained.seen[:2] for n in step)
    assert max(n for step in trained.seen[2:] for n in step) > 1
