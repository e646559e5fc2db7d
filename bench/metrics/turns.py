"""Turns: which was recognized as which, and how late their ends and starts were told.

All times are seconds of the stream, from the recording's start. Bounds as in arXiv 2205.05199: the last word bounds the
end-of-turn token from below (LS), the start-of-turn token is bounded by the first word from above (FS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earmark.bench.metrics.conversation import Recording, SaidTurn, SpokenTurn
from earmark.bench.metrics.words import score_many

TOLERANCE_S = 1.0
"""How far a turn's start may be told from where it is, for the two to be one turn."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn that was spoken and what it was said as; ``number`` counts spoken turns of the recording from 0."""

    number: int
    spoken: SpokenTurn
    said: SaidTurn


@dataclass(frozen=True, slots=True)
class Paired:
    """The turns of a recording that were recognized, and how many weren't, or never were spoken."""

    recording: Recording
    pairs: tuple[Pair, ...]

    @property
    def n_missed(self) -> int:
        return len(self.recording.spoken) - len(self.pairs)

    @property
    def n_spurious(self) -> int:
        return len(self.recording.said) - len(self.pairs)

    @property
    def ends(self) -> tuple[Pair, ...]:
        """Those whose end is asked for: not the one that ends last, behind which the audio ends as well."""
        ends_s = [turn.end_s for turn in self.recording.spoken]
        return tuple(pair for pair in self.pairs if pair.number != ends_s.index(max(ends_s)))

    @property
    def starts(self) -> tuple[Pair, ...]:
        """Those whose start is asked for: not the first one, with which the audio starts as well."""
        return tuple(pair for pair in self.pairs if pair.number > 0)


def pair_up(recording: Recording, assignment: Sequence[str]) -> Paired:
    """Pair turns by their words: ``assignment`` is the channel that ORC gives to each spoken turn.

    On each channel spoken and said turns are paired in order, such that the words that then differ, and those of turns
    without a partner, are fewest.
    """
    pairs: list[Pair] = []
    for channel in dict.fromkeys(assignment):
        mine = [n for n, given in enumerate(assignment) if given == channel]
        said = [turn for turn in recording.said if str(turn.channel) == channel]
        texts = [recording.spoken[n].text for n in mine], [turn.text for turn in said]
        pairs += [Pair(mine[i], recording.spoken[mine[i]], said[j]) for i, j in _aligned(*texts)]
    return Paired(recording, tuple(sorted(pairs, key=lambda pair: pair.number)))


def matched_starts(recording: Recording, tolerance_s: float = TOLERANCE_S) -> int:
    """How many turns can be matched one to one with starts at most ``tolerance_s`` apart, whatever their words.

    A turn starts with its start-of-turn token, or with its first text.
    """
    from scipy.optimize import linear_sum_assignment

    spoken = np.array([turn.start_s for turn in recording.spoken])
    said = np.array([turn.first_s if turn.opened_s is None else turn.opened_s for turn in recording.said])
    apart = np.abs(spoken[:, None] - said)
    near = apart <= tolerance_s + 1e-9
    rows, columns = linear_sum_assignment(np.where(near, apart, 1e6))
    return int(near[rows, columns].sum())


def end_delay(pair: Pair) -> float | None:
    """Seconds from the end of a turn to its end-of-turn token, negative where it was cut; None without a token."""
    return None if pair.said.closed_s is None else pair.said.closed_s - pair.spoken.end_s


def start_delay(pair: Pair) -> float | None:
    """Seconds from the start of a turn to its start-of-turn token; None without a token."""
    return None if pair.said.opened_s is None else pair.said.opened_s - pair.spoken.start_s


def last_word_delay(pair: Pair) -> float:
    """Seconds from the end of a turn to the last text said of it."""
    return pair.said.last_s - pair.spoken.end_s


def first_word_delay(pair: Pair) -> float:
    """Seconds from the start of a turn to the first text said of it."""
    return pair.said.first_s - pair.spoken.start_s


def _aligned(spoken: Sequence[str], said: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of places, ascending on both sides, that leave the fewest word errors."""
    n, m = len(spoken), len(said)
    errors = score_many([text for text in spoken for _ in said], [text for _ in spoken for text in said])
    cost = np.array([e.errors for e in errors], dtype=np.float64).reshape(n, m)
    lost, added = ([float(len(text.split())) for text in texts] for texts in (spoken, said))
    best = np.zeros((n + 1, m + 1))
    best[1:, 0], best[0, 1:] = np.cumsum(lost), np.cumsum(added)
    for i in range(n):
        for j in range(m):
            best[i + 1, j + 1] = min(best[i, j] + cost[i, j], best[i, j + 1] + lost[i], best[i + 1, j] + added[j])
    found, i, j = [], n, m
    while i and j:
        if best[i, j] == best[i - 1, j - 1] + cost[i - 1, j - 1]:
            found.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif best[i, j] == best[i - 1, j] + lost[i - 1]:
            i -= 1
        else:
            j -= 1
    return found[::-1]
