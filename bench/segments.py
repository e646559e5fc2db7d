"""Turns of conversations in the field's formats: reference, and what a model said, channel by channel.

* ``seglst``: JSON rows ``session_id, speaker, words, start_time, end_time``; exactly the rows that are scored.
* ``stm``: ``recording channel speaker begin end words``.
* ``rttm``: ``SPEAKER recording 1 begin duration <NA> <NA> speaker <NA> <NA>``.

What was said has its channel for a speaker. A turn begins with its first text and ends with its last, in audio heard by
then; in RTTM with its start-of-turn and end-of-turn tokens, where there are any. ``meeteval-wer orcwer -r ref.stm -h
hyp.stm`` gives the same error rate as this harness.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.corpora.trial_lists import encoded
from earmark.bench.metrics.conversation import Recording, seglst
from earmark.bench.score.conversation import Talks

Row = Mapping[str, Any]


def files(observations: Path, format_: str, normalizer: str) -> dict[str, list[str]]:
    """Lines of a cell's files, by the ending of their name; none where its corpus names no turns."""
    talks = Talks.read(observations, normalizer)
    return FORMATS[format_](talks) if talks.recordings else {}


def json_lines(rows: Sequence[Row]) -> Iterator[str]:
    """A JSON list, a row a line."""
    yield "["
    for number, row in enumerate(rows, start=1):
        yield json.dumps(row, ensure_ascii=False) + ("," if number < len(rows) else "")
    yield "]"


def stm(rows: Iterable[Row]) -> Iterator[str]:
    """SegLST rows as STM, sorted by recording and time."""
    for row in sorted(rows, key=lambda row: (row["session_id"], row["start_time"], row["end_time"])):
        place = f"{field_name(row['session_id'])} 1 {field_name(row['speaker'])}"
        yield f"{place} {row['start_time']:.6f} {row['end_time']:.6f} {row['words']}".rstrip()


def rttm(spans: Iterable[tuple[str, str, float, float]]) -> Iterator[str]:
    """Lines of (recording, speaker, begin, end), sorted by recording and time."""
    for name, speaker, begin_s, end_s in sorted(spans, key=lambda span: (span[0], span[2], span[3])):
        place = f"{field_name(name)} 1 {begin_s:.6f} {max(0.0, end_s - begin_s):.6f}"
        yield f"SPEAKER {place} <NA> <NA> {field_name(speaker)} <NA> <NA>"


def field_name(text: str | None) -> str:
    """A name without blanks, control characters or parentheses; ``unknown`` where there is none."""
    return encoded(text or "") or "unknown"


def _seglst(talks: Talks) -> dict[str, list[str]]:
    reference, hypothesis = seglst(talks.wordy)
    return {"ref.seglst.json": list(json_lines(reference)), "hyp.seglst.json": list(json_lines(hypothesis))}


def _stm(talks: Talks) -> dict[str, list[str]]:
    reference, hypothesis = seglst(talks.wordy)
    return {"ref.stm": list(stm(reference)), "hyp.stm": list(stm(hypothesis))}


def _rttm(talks: Talks) -> dict[str, list[str]]:
    return {"ref.rttm": list(rttm(_spoken(talks.recordings))), "hyp.rttm": list(rttm(_said(talks.recordings)))}


def _spoken(recordings: Iterable[Recording]) -> Iterator[tuple[str, str, float, float]]:
    for recording in recordings:
        for turn in recording.spoken:
            yield recording.name, turn.speaker or "", turn.start_s, turn.end_s


def _said(recordings: Iterable[Recording]) -> Iterator[tuple[str, str, float, float]]:
    for recording in recordings:
        for turn in recording.said:
            begin_s = turn.first_s if turn.opened_s is None else turn.opened_s
            yield recording.name, str(turn.channel), begin_s, turn.last_s if turn.closed_s is None else turn.closed_s


FORMATS: Mapping[str, Callable[[Talks], dict[str, list[str]]]] = {"rttm": _rttm, "seglst": _seglst, "stm": _stm}
