"""What each channel has to say: marks, silence and due ends of a conversation made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lanes import talk, turn

from earmark.bench.api import Example, InputError
from earmark.models._blocks.alignment import timed_labels
from earmark.models._blocks.pieces import Pieces
from earmark.models._blocks.turns import Marking, check_channels, due_frames, on_channel, silent_frames

STS = Marking(start="<sot>", end="<eot>")
FRAME = {"frame_s": 0.06, "stretch": 1.0}


def texts(marking: Marking, example: Example | None = None) -> list[list[str]]:
    return [[t.text for t in on_channel(example or talk(), channel, marking).turns] for channel in (0, 1)]


def test_channels_without_marks_are_their_turns() -> None:
    assert texts(Marking()) == [["a b"], ["b", "a a"]]


def test_every_turn_is_marked_where_edges_are_kept() -> None:
    assert texts(STS) == [["<sot> a b <eot>"], ["<sot> b <eot>", "<sot> a a <eot>"]]


def test_as_published_the_first_start_and_the_last_end_of_a_recording_are_dropped() -> None:
    assert texts(replace(STS, edges=False)) == [["a b <eot>"], ["<sot> b <eot>", "<sot> a a"]]


def test_the_last_end_is_that_of_the_turn_that_ends_last() -> None:
    long = Example("long", talk().samples, (turn("a", 0.0, 1.2, 0), turn("b", 0.5, 0.9, 1)))
    assert texts(replace(STS, edges=False), long) == [["a"], ["<sot> b <eot>"]]


def test_a_change_of_turns_stands_between_turns_of_a_channel() -> None:
    assert texts(Marking(between="<cot>")) == [["a b"], ["b", "<cot> a a"]]


def test_turns_come_in_the_order_of_their_starts() -> None:
    shuffled = replace(talk(), turns=talk().turns[::-1])
    assert texts(STS, shuffled) == texts(STS)


def test_marks_have_the_times_of_their_turns() -> None:
    pieces = Pieces([" a", " b"], STS.names)
    row = on_channel(talk(), 1, STS)
    found = [(round(ends_s, 3), label) for ends_s, label in timed_labels(row, pieces)]
    sot, eot = pieces.mark("<sot>"), pieces.mark("<eot>")
    assert (sot, eot) == (3, 4)
    assert found == [(0.42, sot), (0.9, 2), (0.9, eot), (0.96, sot), (1.08, 1), (1.2, 1), (1.2, eot)]
    assert timed_labels(on_channel(talk(timed=False), 1, STS), pieces) == []


def test_a_channel_is_silent_in_frames_that_no_turn_touches() -> None:
    """Channel 1 talks from 0.42 to 0.9 s and from 0.96 to 1.2 s: frames 7 to 15 and 16 to 20 of 60 ms."""
    row = on_channel(talk(), 1, STS)
    found = silent_frames(row, n_frames=24, **FRAME)
    assert found.nonzero()[:, 0].tolist() == [*range(7), 21, 22, 23]
    slower = silent_frames(on_channel(talk(), 0, STS), n_frames=24, frame_s=0.06, stretch=2.0)
    assert slower.nonzero()[:, 0].tolist() == [21, 22, 23]
    assert bool(silent_frames(replace(row, turns=()), n_frames=3, **FRAME).all())


def test_marks_of_ends_are_due_when_their_turn_ends() -> None:
    pieces = Pieces([" a", " b"], STS.names)
    row = on_channel(talk(), 1, replace(STS, edges=False))
    labels = pieces.encode(" ".join(t.text for t in row.turns))
    found = due_frames(row, labels, pieces.mark("<eot>"), **FRAME)
    assert found.tolist() == [torch.inf, torch.inf, 15.0, torch.inf, torch.inf, torch.inf]  # sot b eot sot a a
    assert due_frames(replace(row, turns=()), [], pieces.mark("<eot>"), **FRAME).tolist() == []


def test_a_channel_that_is_not_there_is_one_clear_line() -> None:
    third = Example("third", talk().samples, (turn("a", 0.0, 1.0, 2),))
    with pytest.raises(InputError, match="third has a turn on channel 2; give channels from 0 to 1"):
        check_channels([talk(), third], 2, plugin="unit")
    check_channels([talk(), replace(third, turns=(turn("a", 0.0, 1.0, None),))], 2, plugin="unit")
