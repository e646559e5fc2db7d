from __future__ import annotations

from functools import cache

import pytest

from earmark.bench.corpora.synthetic import grammar
from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.synthetic.plan import Utterance, utterances
from earmark.bench.corpora.synthetic.recipes import QUICK


@cache
def quick() -> list[Utterance]:
    return utterances(QUICK)


def said(task: str, *splits: str) -> set[str]:
    return {u.text for u in quick() if u.task == task and u.speaker.split in splits}


TEST = ("discover", "select", "measure")


@pytest.mark.parametrize("task", ["commands", "sentences"])
def test_no_test_sentence_is_heard_in_training(task: str) -> None:
    assert not said(task, "train") & said(task, *TEST)
    assert not said(task, "train") & said(task, "dev")
    assert not said(task, "dev") & said(task, *TEST)


@pytest.mark.parametrize("task", grammar.TASKS)
def test_every_tested_word_is_heard_in_training(task: str) -> None:
    heard = {word for text in said(task, "train") for word in text.split()}
    tested = {word for text in said(task, *TEST) for word in text.split()}
    assert tested <= heard


def test_the_vocabulary_is_every_word_said() -> None:
    assert {word for u in quick() for word in u.text.split()} == set(grammar.VOCABULARY)


def test_digit_strings_hold_two_to_four_digits() -> None:
    lengths = {len(text.split()) for text in said("digits", "train", *TEST)}
    assert lengths == {2, 3, 4}
    assert {word for text in said("digits", "train") for word in text.split()} == set(grammar.DIGITS)


def test_one_speaker_never_says_the_same_twice() -> None:
    pairs = [(u.speaker.name, u.text) for u in quick()]
    assert len(set(pairs)) == len(pairs)


def test_texts_are_the_same_draws_every_time() -> None:
    first = grammar.texts("commands", 5, "test", Draws("seed"), "somebody")
    assert first == grammar.texts("commands", 5, "test", Draws("seed"), "somebody")
    assert first != grammar.texts("commands", 5, "test", Draws("other"), "somebody")
    assert {grammar.side_of(text) for text in first} == {"test"}
