"""Streams conversations through a model that says them on several channels; scores nothing.

It is done as for recognizers: every token is stamped with the chunk that brought it, turn tokens too. Only the text of
a recording is another one: turn by turn, since words of two channels arrive mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.bench.api import Recognizer, Token
from earmark.bench.metrics.conversation import Mark, read_turns
from earmark.bench.observe import recognition
from earmark.bench.observe.settings import Advance, Settings
from earmark.bench.tables import Writer


def observe(
    model: Recognizer, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer, advance: Advance
) -> list[str]:
    """Observe a conversation model on corpus rows; returns flags for the cell (e.g. ``nondeterministic``)."""
    heard = [as_conversation(row) for row in rows]
    return recognition.observe(model, heard, settings, writer, advance, transcript=turn_by_turn)


def as_conversation(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row with turns; a recording of which none are told is one turn, from its first word to its last."""
    if row["segments"]:
        return row
    words = row["words"]
    start, end = (words[0]["start"], words[-1]["end"]) if words else (0.0, row["duration_s"])
    return {**row, "segments": [{"speaker": row["speaker"], "start": start, "end": end, "text": row["text"]}]}


def turn_by_turn(tokens: Sequence[Token]) -> str:
    """The texts of all turns, in order of their first tokens."""
    return " ".join(turn.text for turn in read_turns([Mark(t.channel, t.kind, t.text) for t in tokens]))
