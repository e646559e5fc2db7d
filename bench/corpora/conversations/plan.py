"""Who speaks when in a simulated conversation, and how loud. Drawn by the rules; nothing is heard yet.

Published rules (arXiv 2205.05199, on-the-fly simulation): 1 to ``max_turns`` utterances, each number equally likely; a
speaker may come again but never overlaps itself; a turn starts U(0.5 s, length of the turn before) after the start of
that one, so that neighbours overlap; energies lie U(-5, 5) dB from those of a reference speaker drawn among them; what
is longer than 30 s is drawn again. At most two talk at once. Times are those of the speech in an utterance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.corpora.conversations.rules import LOUDEST_DB, SHORTEST_DELAY_S, Rules

PAUSE_S = (0.3, 3.0)
"""Of ``sparse`` conversations: the silence between turns."""
CONDITIONS: Mapping[str, tuple[float, tuple[float, float]]] = {
    "0S": (0.0, (0.1, 0.5)),
    "0L": (0.0, (2.9, 3.0)),
    **{f"OV{percent}": (percent / 100, (0.0, 0.0)) for percent in (10, 20, 30, 40)},
}
"""LibriCSS (arXiv 2001.11482): the time with two talkers over the time with any, and the silence between turns."""
ATTEMPTS = 2000
_CLOSE_S = 1e-9


@dataclass(frozen=True, slots=True)
class Placed:
    """A turn: which utterance, when its speech starts, and how many dB above the reference speaker it is."""

    place: int
    start_s: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Turns in order of start; ``reference`` is the turn whose utterance keeps its energy, ``room`` None for none."""

    turns: tuple[Placed, ...]
    reference: int
    room: int | None
    condition: str | None = None


@dataclass(frozen=True, eq=False)
class Talkers:
    """The utterances that conversations are made of: seconds of speech (n,), and the number of the speaker (n,)."""

    lengths_s: NDArray[np.float64]
    speakers: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not (self.lengths_s >= SHORTEST_DELAY_S).any():
            what = f"of {len(self.lengths_s)} recordings none has {SHORTEST_DELAY_S} s of speech"
            raise InputError(what, where="conversations", fix="make them from longer recordings")


def draw(talkers: Talkers, rules: Rules, rng: Generator, *, number: int, n_rooms: int) -> Plan:
    """The plan of conversation ``number``; all its draws are ``rng``'s.

    Raises:
        InputError: these talkers can't converse by these rules, such as one who would have to overlap itself.
    """
    condition = [*CONDITIONS][number % len(CONDITIONS)] if rules.style == "libricss" else None
    fewest = 2 if condition else 1
    n_turns = fewest + int(rng.random() * (rules.max_turns - fewest + 1))
    room = int(rng.random() * n_rooms) if rng.random() < rules.rooms else None
    for _ in range(ATTEMPTS):
        places = _utterances(talkers, n_turns, rng)
        starts = _STYLES[rules.style](talkers, places, rng, condition)
        if starts is not None and _fits(talkers, places, starts, rules.limit_s):
            reference = int(rng.random() * n_turns)
            return Plan(_levelled(talkers, places, starts, reference, rng), reference, room, condition)
    what = f"no conversation of {n_turns} turns came of {ATTEMPTS} attempts"
    raise InputError(what, where="conversations", fix="give fewer max_turns, a longer limit_s or more speakers")


def overlap_ratio(spans: Sequence[tuple[float, float]]) -> float:
    """The time with two or more talkers over the time with any; 0 where nobody talks."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    talking, before, any_s, several_s = 0, 0.0, 0.0, 0.0
    for at, step in edges:
        any_s += (at - before) * (talking > 0)
        several_s += (at - before) * (talking > 1)
        talking, before = talking + step, at
    return several_s / any_s if any_s > 0 else 0.0


def _utterances(talkers: Talkers, n_turns: int, rng: Generator) -> list[int]:
    """Evenly drawn; all but the last long enough for the next to start while they last."""
    n, found = len(talkers.lengths_s), list[int]()
    while len(found) < n_turns:
        place = int(rng.random() * n)
        if len(found) == n_turns - 1 or talkers.lengths_s[place] >= SHORTEST_DELAY_S:
            found.append(place)
    return found


def _overlapping(talkers: Talkers, places: Sequence[int], rng: Generator, _: str | None) -> list[float] | None:
    """Starts by the published delays; None where a turn would overlap two others, or its own speaker."""
    starts: list[float] = []
    for place in places:
        if not starts:
            starts.append(0.0)
            continue
        length = float(talkers.lengths_s[places[len(starts) - 1]])
        starts.append(starts[-1] + SHORTEST_DELAY_S + rng.random() * (length - SHORTEST_DELAY_S))
        ends = [at + float(talkers.lengths_s[p]) for at, p in zip(starts, places, strict=False)][:-1]
        going_on = [k for k, end in enumerate(ends) if end > starts[-1]]
        if len(going_on) > 1 or any(talkers.speakers[places[k]] == talkers.speakers[place] for k in going_on):
            return None
    return starts


def _waiting(talkers: Talkers, places: Sequence[int], rng: Generator, _: str | None) -> list[float]:
    """One after the other, with a pause before each but the first."""
    return _apart(talkers, places, rng, PAUSE_S)


def _with_condition(
    talkers: Talkers, places: Sequence[int], rng: Generator, condition: str | None
) -> list[float] | None:
    """Starts such that the share of overlapped time is the condition's, cut up at random among the neighbours."""
    ratio, pause_s = CONDITIONS[condition or "0S"]
    if not ratio:
        return _apart(talkers, places, rng, pause_s)
    lengths = talkers.lengths_s[list(places)]
    shares = 0.5 + rng.random(len(places) - 1)
    overlaps = ratio / (1 + ratio) * lengths.sum() * shares / shares.sum()
    sides = np.concatenate([[0.0], overlaps]) + np.concatenate([overlaps, [0.0]])
    talkers_differ = talkers.speakers[list(places[1:])] != talkers.speakers[list(places[:-1])]
    if (sides > lengths).any() or not talkers_differ.all():
        return None
    ends_before = np.cumsum(lengths)[:-1] - np.cumsum(overlaps)
    return [0.0, *ends_before.tolist()]


def _apart(talkers: Talkers, places: Sequence[int], rng: Generator, pause_s: tuple[float, float]) -> list[float]:
    starts, end = [0.0], float(talkers.lengths_s[places[0]])
    for place in places[1:]:
        starts.append(end + pause_s[0] + rng.random() * (pause_s[1] - pause_s[0]))
        end = starts[-1] + float(talkers.lengths_s[place])
    return starts


_STYLES: Mapping[str, Callable[[Talkers, Sequence[int], Generator, str | None], list[float] | None]] = {
    "published": _overlapping, "sparse": _waiting, "libricss": _with_condition,
}  # fmt: skip


def _fits(talkers: Talkers, places: Sequence[int], starts: Sequence[float], limit_s: float) -> bool:
    return max(at + float(talkers.lengths_s[p]) for at, p in zip(starts, places, strict=True)) <= limit_s + _CLOSE_S


def _levelled(
    talkers: Talkers, places: Sequence[int], starts: Sequence[float], reference: int, rng: Generator
) -> tuple[Placed, ...]:
    """One level for each speaker, in order of appearance; 0 dB for the reference."""
    level = {int(talkers.speakers[places[reference]]): 0.0}
    for place in places:
        level.setdefault(int(talkers.speakers[place]), LOUDEST_DB * (2 * rng.random() - 1))
    return tuple(
        Placed(place, start, level[int(talkers.speakers[place])]) for place, start in zip(places, starts, strict=True)
    )
