"""Word errors of conversations: several talkers in the reference, several output channels in the hypothesis.

Matching is meeteval's (von Neumann et al. 2023, https://arxiv.org/abs/2307.11394). ORC: every reference turn goes to
the channel where it costs least; tcORC: only words within five seconds of each other match; DI-cp: every output turn
goes to the speaker where it costs least; cp: channels are paired with speakers. Turns are those of one recording in
order of start, their texts normalized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from earmark.bench.api import InputError, Unsupported
from earmark.bench.metrics.words import WordErrors

if TYPE_CHECKING:
    from meeteval.io import SegLST

EXACT_WORDS = 2000
"""ORC is exact up to so many reference words in a recording; beyond, a greedy search stands in for it."""
MOST_CHANNELS = 10
"""Output channels of a recording that meeteval matches."""
COLLAR_S = 5.0
LEAST_S = 0.001
"""Length that a turn without one is given, since matching in time needs one."""
PAUSE_S = 1.0
"""Where no word comes for longer, a turn is matched in parts: what does not mark turns says its words in one."""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """A turn of the reference."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Words of a turn that came without a pause, and when the first and the last of them came."""

    text: str
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """A turn of the output: its words, and when they came, in seconds of the stream.

    ``opened_s`` and ``closed_s`` are when its start-of-turn and its end-of-turn token came, None without one;
    ``parts`` are its words between pauses, none where that is not known.
    """

    channel: int
    text: str
    first_s: float
    last_s: float
    opened_s: float | None = None
    closed_s: float | None = None
    parts: tuple[Part, ...] = ()

    def normalized(self, normalize: Callable[[str], str]) -> SaidTurn:
        """The turn with its words as ``normalize`` leaves them; parts that have none are gone."""
        parts = [replace(part, text=normalize(part.text)) for part in self.parts]
        return replace(self, text=normalize(self.text), parts=tuple(part for part in parts if part.text))


@dataclass(frozen=True, slots=True)
class Mark:
    """A final token as turns are read from it: ``kind`` as in :class:`earmark.bench.api.Token`."""

    channel: int
    kind: str
    text: str
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Recording:
    """What was said in a recording and what a model made of it."""

    name: str
    spoken: Sequence[SpokenTurn]
    said: Sequence[SaidTurn]


@dataclass(frozen=True, slots=True)
class Matched:
    """Errors of each recording by name, and which of them were matched greedily."""

    errors: Mapping[str, WordErrors]
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    greedy: frozenset[str] = frozenset()


def read_turns(marks: Sequence[Mark]) -> list[SaidTurn]:
    """The turns that a stream of tokens says, in order of their first token.

    On its channel a turn begins with a start-of-turn token, or with the first text after the end of the one before; it
    ends with an end-of-turn token, with the next start, or with the stream. What has no word is no turn.

    >>> [turn.text for turn in read_turns([Mark(0, "text", " a"), Mark(1, "text", " b"), Mark(0, "text", " c")])]
    ['a c', 'b']
    """
    going_on: dict[int, _Draft] = {}
    drafts: list[_Draft] = []
    for mark in marks:
        if mark.kind == "end_of_turn":
            if (ended := going_on.pop(mark.channel, None)) is not None:
                ended.closed_s = mark.at_s
            continue
        if mark.kind == "start_of_turn" or mark.channel not in going_on:
            drafts.append(_Draft(mark.channel, mark.at_s if mark.kind == "start_of_turn" else None))
            going_on[mark.channel] = drafts[-1]
        if mark.kind == "text":
            going_on[mark.channel].heard.append(mark)
    return [draft.turn() for draft in drafts if draft.text]


@dataclass(slots=True)
class _Draft:
    channel: int
    opened_s: float | None
    closed_s: float | None = None
    heard: list[Mark] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(mark.text for mark in self.heard).strip()

    def turn(self) -> SaidTurn:
        first_s, last_s = self.heard[0].at_s, self.heard[-1].at_s
        return SaidTurn(self.channel, self.text, first_s, last_s, self.opened_s, self.closed_s, self._parts())

    def _parts(self) -> tuple[Part, ...]:
        """Cut before words that came late; a word's own pieces stay together."""
        cuts = [
            place
            for place, (before, mark) in enumerate(pairwise(self.heard), start=1)
            if mark.text.startswith(" ") and mark.at_s - before.at_s > PAUSE_S
        ]
        runs = [self.heard[start:stop] for start, stop in pairwise([0, *cuts, len(self.heard)])]
        texts = ["".join(mark.text for mark in run).strip() for run in runs]
        return tuple(Part(text, run[0].at_s, run[-1].at_s) for text, run in zip(texts, runs, strict=True) if text)


def orc(recordings: Sequence[Recording]) -> Matched:
    """Errors under the best assignment of reference turns to channels; exact up to ``EXACT_WORDS`` words."""
    wer = _meeteval()
    exact = _match(wer.orcwer, [r for r in recordings if _is_small(r)])
    rough = _match(wer.greedy_orcwer, [r for r in recordings if not _is_small(r)])
    found = {**exact.errors, **rough.errors}
    return Matched(
        {r.name: found[r.name] for r in recordings},
        {**exact.assignments, **rough.assignments},
        frozenset(rough.errors),
    )


def time_constrained_orc(recordings: Sequence[Recording], collar_s: float = COLLAR_S) -> Matched:
    """As :func:`orc`, where words match only within ``collar_s``: they are spread over their part of a turn."""
    return _match(lambda ref, hyp: _meeteval().tcorcwer(ref, hyp, collar=collar_s), recordings)


def diarization_invariant(recordings: Sequence[Recording]) -> Matched:
    """Errors when every part of an output turn may go to any speaker (DI-cpWER, greedy); speakers must be named."""
    found = _match(_meeteval().greedy_dicpwer, recordings)
    return Matched(found.errors, greedy=frozenset(found.errors))


def concatenated(recordings: Sequence[Recording]) -> Matched:
    """Errors under the best pairing of speakers with channels (cpWER); speakers must be named."""
    return _match(_meeteval().cpwer, recordings)


def seglst(recordings: Sequence[Recording]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Reference and hypothesis as SegLST rows (meeteval's JSON): exactly what is matched here.

    A recording in which nothing was said has one empty row, so that it counts.
    """
    reference = [
        _row(r.name, turn.speaker or f"turn {n}", turn.text, turn.start_s, turn.end_s)
        for r in recordings
        for n, turn in enumerate(r.spoken)
    ]
    hypothesis = [
        _row(r.name, str(turn.channel), part.text, part.first_s, part.last_s)
        for r in recordings
        for turn in r.said
        for part in turn.parts or (Part(turn.text, turn.first_s, turn.last_s),)
    ]
    silent = [_row(r.name, "0", "", 0.0, 0.0) for r in recordings if not r.said]
    return reference, [*hypothesis, *silent]


def _match(matching: Callable[[SegLST, SegLST], Any], recordings: Sequence[Recording]) -> Matched:
    """Errors of each recording; one without reference words has what was inserted."""
    _check_channels(recordings)
    wordy = [r for r in recordings if _n_words(r)]
    errors = {r.name: WordErrors(insertions=sum(len(t.text.split()) for t in r.said)) for r in recordings}
    assignments: dict[str, tuple[str, ...]] = {}
    if wordy:
        from meeteval.io import SegLST

        reference, hypothesis = seglst(wordy)
        found = matching(SegLST(reference), SegLST(hypothesis))
        errors |= {n: WordErrors(e.substitutions, e.deletions, e.insertions, e.length) for n, e in found.items()}
        assignments = {n: tuple(map(str, e.assignment)) for n, e in found.items() if e.assignment is not None}
    return Matched({r.name: errors[r.name] for r in recordings}, assignments)


def _meeteval() -> Any:
    try:
        from meeteval import wer
    except ImportError as error:
        raise Unsupported("conversations are scored with meeteval: pip install 'earmark[conversations]'") from error
    return wer


def _check_channels(recordings: Sequence[Recording]) -> None:
    for recording in recordings:
        if (n := len({turn.channel for turn in recording.said})) > MOST_CHANNELS:
            fix = f"a model of conversations speaks on at most {MOST_CHANNELS}: that many are matched"
            raise InputError(f"{n} output channels", where=recording.name, fix=fix)


def _is_small(recording: Recording) -> bool:
    return _n_words(recording) <= EXACT_WORDS


def _n_words(recording: Recording) -> int:
    return sum(len(turn.text.split()) for turn in recording.spoken)


def _row(name: str, speaker: str, text: str, start_s: float, end_s: float) -> dict[str, Any]:
    end_s = max(end_s, start_s + LEAST_S) if text else end_s
    return {"session_id": name, "speaker": speaker, "words": text, "start_time": start_s, "end_time": end_s}
