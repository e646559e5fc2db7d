"""Pieces from texts: complete, in merge order, the same every time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.tokenizer import train_pieces, whole_words
from earmark.models._blocks.pieces import Pieces

TEXTS = ["turn the light on", "turn the light off", "turn the radio on", "set the alarm to nine"] * 5


def test_frequent_words_become_one_piece() -> None:
    pieces = Pieces(train_pieces(TEXTS, 60))
    assert pieces.decode(pieces.encode("turn the light")) == [" turn", " the", " light"]


@given(st.lists(st.text("abcdeé'", min_size=1, max_size=6), min_size=1, max_size=8), st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_any_text_of_known_characters_can_be_spelled(words: list[str], size: int) -> None:
    pieces = train_pieces([" ".join(words)], size)
    assert len(set(pieces)) == len(pieces)
    backwards = " ".join(word[::-1] for word in words)
    assert "".join(Pieces(pieces).decode(Pieces(pieces).encode(backwards))).split() == backwards.split()


def test_the_same_texts_give_the_same_pieces() -> None:
    assert train_pieces(TEXTS, 50) == train_pieces(TEXTS, 50)
    assert len(train_pieces(TEXTS, 50)) >= len(train_pieces(TEXTS, 30))


def test_texts_without_words_are_refused() -> None:
    with pytest.raises(InputError, match="hold no words"):
        train_pieces(["", " "])
    with pytest.raises(InputError, match="hold no words"):
        whole_words(["", " "])


def test_whole_words_are_spelled_as_they_are_and_others_are_refused() -> None:
    words = whole_words(TEXTS)
    assert words[:3] == [" alarm", " light", " nine"]
    assert Pieces(words).decode(Pieces(words).encode("turn the light on")) == [" turn", " the", " light", " on"]
    with pytest.raises(InputError, match="no piece of the vocabulary"):
        Pieces(words).encode("turn the lamp on")
