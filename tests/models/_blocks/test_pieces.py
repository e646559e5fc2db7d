"""Segmentation by merge rank, against SentencePiece itself and by its properties."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.models._blocks.pieces import LETTERS, Pieces

if TYPE_CHECKING:
    import sentencepiece as spm

TEXTS = (
    "turn the light in the kitchen on", "turn the light in the hall off", "play the news in the kitchen",
    "set the alarm to seven", "the night is light and bright", "seven eleven eight eight", "in in in inn",
)  # fmt: skip


def sentencepiece_model(size: int) -> spm.SentencePieceProcessor:
    import sentencepiece as spm

    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, model_type="bpe", vocab_size=size, minloglevel=2,
        character_coverage=1.0, normalization_rule_name="identity", bos_id=-1, eos_id=-1, hard_vocab_limit=False,
    )  # fmt: skip
    return spm.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.fixture(scope="module", params=[30, 60])
def oracle(request: pytest.FixtureRequest) -> spm.SentencePieceProcessor:
    return sentencepiece_model(request.param)


def pieces_of(oracle: spm.SentencePieceProcessor) -> Pieces:
    ids = sorted((i for i in range(len(oracle)) if not oracle.is_unknown(i)), key=lambda i: -oracle.get_score(i))
    return Pieces([oracle.id_to_piece(i).replace("▁", " ") for i in ids])


def test_segments_as_sentencepiece_does(oracle: spm.SentencePieceProcessor) -> None:
    pieces = pieces_of(oracle)
    for text in (*TEXTS, "no one sat on the tin", "lightning", "e e e", "ttttt innin"):
        expected = [piece.replace("▁", " ") for piece in oracle.encode(text, out_type=str)]
        assert pieces.decode(pieces.encode(text)) == expected


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=8), max_size=6))
@settings(max_examples=50)
def test_decoding_gives_the_text_back(words: list[str]) -> None:
    pieces = Pieces(LETTERS)
    assert "".join(pieces.decode(pieces.encode(" ".join(words)))).split() == words


def test_label_zero_is_left_to_the_blank() -> None:
    pieces = Pieces([" a", "b", " ", "a"])
    assert pieces.n_labels == 5
    assert pieces.encode("a ab") == [1, 1, 2]


def test_the_pair_merged_first_wins_and_the_leftmost_of_equals() -> None:
    assert Pieces(["bc", "ab", "a", "b", "c", " "]).decode(Pieces(["bc", "ab", "a", "b", "c", " "]).encode("abc")) == [
        " ", "a", "bc",
    ]  # fmt: skip
    twice = Pieces(["aa", "a", " "])
    assert twice.decode(twice.encode("aaa")) == [" ", "aa", "a"]


def test_an_unknown_character_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="holds 'é' of 'café'"):
        Pieces(LETTERS).encode("a café")


@pytest.mark.parametrize("pieces", [[], ["a", ""], ["a", "a"]])
def test_a_vocabulary_must_be_whole(pieces: list[str]) -> None:
    with pytest.raises(InputError, match="each piece once"):
        Pieces(pieces)


def test_marks_are_words_of_their_own_and_say_turns() -> None:
    pieces = Pieces([" a", "b"], ("<sot>", "<eot>"))
    assert pieces.n_labels == 5
    assert pieces.encode("<sot> ab a <eot>") == [3, 1, 2, 1, 4]
    said = [pieces.token(label, channel=1, audio_s=0.5) for label in (1, 3, 4)]
    assert [(token.text, token.kind) for token in said] == [(" a", "text"), ("", "start_of_turn"), ("", "end_of_turn")]
    assert {(token.channel, token.audio_s) for token in said} == {(1, 0.5)}
    change = Pieces([" a"], ("<cot>",))
    assert change.token(change.mark("<cot>"), channel=0, audio_s=0.0).kind == "start_of_turn"
    with pytest.raises(InputError, match="of '<sot>'"):
        Pieces([" a"]).encode("<sot> a")
