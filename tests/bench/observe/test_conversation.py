"""What the observer of conversations adds to that of recognizers: turns, and a text that goes turn by turn."""

from __future__ import annotations

from typing import Any

from earmark.bench.api import Token
from earmark.bench.observe.conversation import as_conversation, turn_by_turn
from earmark.bench.observe.recognition import reference_turns

ROW: dict[str, Any] = {"speaker": "anna", "text": "yes it is", "duration_s": 2.0, "segments": [], "words": []}


def test_the_text_of_channels_that_arrive_mixed_goes_turn_by_turn() -> None:
    said = ((" ye", 0), (" n", 1), ("s", 0), ("o", 1), (" it", 0))
    assert turn_by_turn([Token(text, channel) for text, channel in said]) == "yes it no"


def test_a_recording_without_segments_is_one_turn() -> None:
    (turn,) = reference_turns(as_conversation(ROW))
    assert turn == {"turn": 0, "speaker": "anna", "channel": 0, "start_s": 0.0, "end_s": 2.0, "text": "yes it is"}
    words = [{"word": "yes", "start": 0.3, "end": 0.6}, {"word": "it is", "start": 0.6, "end": 1.1}]
    (timed,) = reference_turns(as_conversation({**ROW, "words": words}))
    assert (timed["start_s"], timed["end_s"]) == (0.3, 1.1)


def test_turns_go_by_start_and_switch_channels_where_they_overlap() -> None:
    spans = ((2.0, 3.0), (0.0, 1.0), (0.5, 1.5))
    segments = [{"speaker": "a", "start": start, "end": end, "text": f"at {start}"} for start, end in spans]
    found = reference_turns(as_conversation({**ROW, "segments": segments}))
    assert [(turn["start_s"], turn["channel"]) for turn in found] == [(0.0, 0), (0.5, 1), (2.0, 1)]
    assert reference_turns(ROW) == []
