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
    return recognition.observe(model, rows, settings, writer, advance, transcript=turn_by_turn)


def turn_by_turn(tokens: Sequence[Token]) -> str:
    """The texts of all turns, in order of their first tokens."""
    return " ".join(turn.text for turn in read_turns([Mark(t.channel, t.kind, t.text) for t in tokens]))
