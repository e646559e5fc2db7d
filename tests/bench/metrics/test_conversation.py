"""Word errors of conversations: values worked out by hand, an exhaustive search, and what must hold of any output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics import conversation
from earmark.bench.metrics.conversation import (
    Mark,
    Matched,
    Part,
    Recording,
    SaidTurn,
    SpokenTurn,
    concatenated,
    diarization_invariant,
    orc,
    read_turns,
    seglst,
    time_constrained_orc,
)
from earmark.bench.metrics.words import WordErrors, score_words

pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")

SPOKEN = (SpokenTurn("a b c", 0, 2, "A"), SpokenTurn("d e", 1, 3, "B"), SpokenTurn("f g", 4, 5, "A"))
"""Seven words of two speakers."""


def said(*turns: tuple[int, str, float, float]) -> list[SaidTurn]:
    return [SaidTurn(channel, text, first, last) for channel, text, first, last in turns]


def errors(match: object, *recordings: Recording) -> list[int]:
    return [e.errors for e in match(recordings).errors.values()]  # type: ignore[operator]


def test_a_turn_on_the_other_channel_costs_nothing_but_in_cp() -> None:
    found = Recording("r", SPOKEN, said((0, "a b c", 0, 2), (1, "d e", 1, 3), (1, "f g", 4, 5)))
    assert errors(orc, found) == errors(time_constrained_orc, found) == errors(diarization_invariant, found) == [0]
    assert concatenated([found]).errors["r"].rate == pytest.approx(4 / 7)
    assert orc([found]).assignments["r"] == ("0", "1", "1")


@pytest.mark.parametrize("match", [orc, time_constrained_orc, diarization_invariant, concatenated])
def test_an_empty_output_loses_every_word(match: object) -> None:
    silent = match([Recording("r", SPOKEN, [])])  # type: ignore[operator]
    assert silent.errors["r"] == WordErrors(0, 7, 0, 7)


def test_cp_of_two_speakers_by_hand() -> None:
    spoken = [SpokenTurn("the cat", 0, 1, "A"), SpokenTurn("sat on", 1, 2, "B")]
    found = Recording("r", spoken, said((0, "the cat sat", 0, 1), (1, "on", 1, 2)))
    assert concatenated([found]).errors["r"].rate == 0.5


def test_meeteval_s_own_example() -> None:
    spoken = [SpokenTurn(text, k, k + 1) for k, text in enumerate(("a b", "c d", "e"))]
    found = Recording("r", spoken, said((0, "a b e f", 0, 3), (1, "c d", 1, 2)))
    assert orc([found]).errors["r"] == WordErrors(0, 0, 1, 5)


def test_words_far_from_where_they_were_spoken_match_only_without_a_collar() -> None:
    late = Recording("r", SPOKEN, said((0, "a b c", 0, 2), (1, "d e", 1, 3), (0, "f g", 20, 21)))
    assert errors(orc, late) == [0]
    assert errors(time_constrained_orc, late) == [4]


@pytest.mark.parametrize("match", [orc, time_constrained_orc, diarization_invariant, concatenated])
def test_more_channels_than_are_matched_are_named(match: Callable[[Sequence[Recording]], Matched]) -> None:
    many = [Recording(f"on {n}", SPOKEN, said(*((c, "a", c, c + 1) for c in range(n)))) for n in (10, 11)]
    assert match(many[:1]).errors["on 10"].reference_words == 7
    with pytest.raises(InputError, match="on 11: 11 output channels"):
        match(many)


def test_beyond_the_limit_the_search_is_greedy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Recording("long", SPOKEN, said((0, "a b c f g", 0, 5), (1, "d e", 1, 3)))
    short = Recording("short", SPOKEN[:1], said((0, "a b x", 0, 2)))
    assert orc([long, short]).greedy == frozenset()
    monkeypatch.setattr(conversation, "EXACT_WORDS", 6)
    found = orc([long, short])
    assert found.greedy == {"long"}
    assert [*found.errors.items()] == [("long", WordErrors(0, 0, 0, 7)), ("short", WordErrors(1, 0, 0, 3))]


def test_without_reference_words_everything_said_is_inserted() -> None:
    found = Recording("r", [SpokenTurn("", 0, 1)], said((0, "a b", 0, 1)))
    assert orc([found]).errors["r"] == WordErrors(insertions=2)
    assert orc([]).errors == {}


def test_unnamed_speakers_are_told_apart_in_the_rows() -> None:
    reference, hypothesis = seglst([Recording("r", [SpokenTurn("a", 0, 1), SpokenTurn("b", 1, 2)], [])])
    assert [row["speaker"] for row in reference] == ["turn 0", "turn 1"]
    assert [row["words"] for row in hypothesis] == [""]


# --- any output ---------------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(" ".join)
SPEECH = st.lists(st.tuples(WORDS, st.sampled_from("XYZ")), min_size=1, max_size=8)
OUTPUT = st.lists(st.tuples(WORDS, st.integers(0, 1)), max_size=8)


def recording(speech: list[tuple[str, str]], output: list[tuple[str, int]], flip: bool = False) -> Recording:
    spoken = [SpokenTurn(text, k, k + 0.9, speaker) for k, (text, speaker) in enumerate(speech)]
    return Recording("r", spoken, said(*((c ^ flip, text, k, k + 0.9) for k, (text, c) in enumerate(output))))


def brute_force(found: Recording) -> int:
    """The fewest errors over all ways to put the spoken turns on two channels."""
    heard = [" ".join(t.text for t in found.said if t.channel == channel) for channel in (0, 1)]
    return min(
        sum(
            score_words(" ".join(t.text for t, c in zip(found.spoken, way, strict=True) if c == n), heard[n]).errors
            for n in (0, 1)
        )
        for way in product((0, 1), repeat=len(found.spoken))
    )


@settings(max_examples=40, deadline=None)
@given(SPEECH, OUTPUT)
def test_orc_is_the_least_over_all_assignments(speech: list[tuple[str, str]], output: list[tuple[str, int]]) -> None:
    found = recording(speech, output)
    assert errors(orc, found) == [brute_force(found)]


@settings(max_examples=60, deadline=None)
@given(SPEECH, OUTPUT)
def test_orc_is_at_most_cp_and_blind_to_the_order_of_channels(
    speech: list[tuple[str, str]], output: list[tuple[str, int]]
) -> None:
    found = recording(speech, output)
    assert errors(orc, found) <= errors(concatenated, found)
    assert errors(orc, found) == errors(orc, recording(speech, output, flip=True))


# --- reading turns ------------------------------------------------------------------------------------------------


def marks(*tokens: tuple[int, str]) -> list[Mark]:
    """``<`` and ``>`` are turn tokens; a token comes every tenth of a second."""
    kinds = {"<": "start_of_turn", ">": "end_of_turn"}
    return [
        Mark(channel, kinds.get(text, "text"), "" if text in kinds else text, k / 10)
        for k, (channel, text) in enumerate(tokens)
    ]


def test_turns_of_two_channels_that_arrive_mixed() -> None:
    found = read_turns(marks((0, "<"), (0, " yes"), (1, "<"), (1, " n"), (0, " it"), (1, "o"), (0, ">"), (1, ">")))
    assert [replace(turn, parts=()) for turn in found] == [
        SaidTurn(0, "yes it", 0.1, 0.4, 0.0, 0.6), SaidTurn(1, "no", 0.3, 0.5, 0.2, 0.7),
    ]  # fmt: skip
    assert [turn.parts for turn in found] == [(Part("yes it", 0.1, 0.4),), (Part("no", 0.3, 0.5),)]


def test_words_after_a_pause_are_matched_where_they_came() -> None:
    """One channel without turn tokens: `d e`, said at 9 and 9.5 s, is not spread over ten seconds."""
    times = ((" a", 0.5), (" b", 1.0), (" d", 9.0), (" e", 9.5), ("f", 11.0))
    (turn,) = read_turns([Mark(0, "text", text, at_s) for text, at_s in times])
    assert turn.parts == (Part("a b", 0.5, 1.0), Part("d ef", 9.0, 11.0))
    spoken = [SpokenTurn("a b", 0, 1), SpokenTurn("d ef", 8, 9.5)]
    assert errors(time_constrained_orc, Recording("r", spoken, [turn])) == [0]
    normal = turn.normalized(lambda text: text.replace("d ef", "").strip())
    assert (normal.text, normal.parts) == ("a b", (Part("a b", 0.5, 1.0),))


def test_without_a_first_start_and_a_last_end() -> None:
    found = read_turns(marks((0, " a"), (0, ">"), (0, " b"), (0, "<"), (0, " c")))
    assert [(t.text, t.opened_s, t.closed_s) for t in found] == [
        ("a", None, pytest.approx(0.1)), ("b", None, None), ("c", pytest.approx(0.3), None),
    ]  # fmt: skip


def test_turns_without_words_are_none() -> None:
    assert read_turns(marks((0, "<"), (0, ">"), (1, ">"), (1, "<"), (1, " "), (1, "<"))) == []


def test_a_change_of_turn_ends_one_and_starts_the_next() -> None:
    assert [turn.text for turn in read_turns(marks((0, " a"), (0, ">"), (0, "<"), (0, " b")))] == ["a", "b"]
