"""From a plan to what is heard: utterances levelled, put into a room, laid over one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.bench.api import Samples, Turn, Word
from earmark.bench.corpora.conditions import active_samples
from earmark.bench.corpora.conversations.arrangement import channels
from earmark.bench.corpora.conversations.plan import Placed, Plan, Talkers
from earmark.bench.corpora.conversations.rooms import response
from earmark.bench.corpora.silence import without_silence


@dataclass(frozen=True, slots=True)
class Utterance:
    """A single talker's recording: what is said, and where in the recording its speech lies, in seconds.

    ``power`` is the mean square of its samples over the active frames; word times are those of the recording.
    """

    speaker: str
    text: str
    words: tuple[Word, ...]
    start_s: float
    end_s: float
    power: float


@dataclass(frozen=True, eq=False)
class Pool:
    """Recordings of single talkers at ``rate_hz``; ``samples`` gives those of a place, (n,)."""

    rate_hz: int
    utterances: Sequence[Utterance]
    samples: Callable[[int], Samples]


def utterance_of(speaker: str, text: str, words: Sequence[Word], samples: Samples, rate_hz: int) -> Utterance:
    """What there is to know of a recording (n,); speech lies where its words do, or where there is no silence."""
    wide = samples.astype(np.float64)
    active = wide[active_samples(wide)]
    power = float(np.mean(active * active)) if len(active) else 0.0
    if words:
        return Utterance(speaker, text, tuple(words), words[0].start_s, words[-1].end_s, power)
    kept = without_silence(samples, rate_hz, 0.0)
    return Utterance(speaker, text, (), kept.start / rate_hz, kept.stop / rate_hz, power)


def talkers_of(utterances: Sequence[Utterance]) -> Talkers:
    """What a plan needs to know of utterances."""
    number = {name: n for n, name in enumerate(sorted({u.speaker for u in utterances}))}
    lengths = np.array([u.end_s - u.start_s for u in utterances], dtype=np.float64)
    return Talkers(lengths, np.array([number[u.speaker] for u in utterances], dtype=np.int64))


def turns_of(plan: Plan, pool: Pool) -> tuple[Turn, ...]:
    """The turns of a plan with their channels, on the clock of what is heard."""
    zero_s = _zero(plan, pool)
    spoken = [(turn, pool.utterances[turn.place]) for turn in plan.turns]
    starts = [turn.start_s - zero_s for turn, _ in spoken]
    spans = [(start, start + u.end_s - u.start_s) for start, (_, u) in zip(starts, spoken, strict=True)]
    return tuple(
        Turn(u.text, start, end, u.speaker, _moved(u.words, start - u.start_s), channel)
        for (start, end), (_, u), channel in zip(spans, spoken, channels(spans), strict=True)
    )


def heard(plan: Plan, pool: Pool, *, rooms: str) -> Samples:
    """What the microphone hears of a plan: (n,) float32, turned down where it would pass full scale.

    ``rooms`` names the rooms that it may be held in. The last sample is that of the utterance that ends last; what a
    room adds behind it is cut off.
    """
    zero_s = _zero(plan, pool)
    positions: dict[str, int] = {}
    parts: list[tuple[int, int, Samples]] = []
    for turn in plan.turns:
        utterance = pool.utterances[turn.place]
        position = positions.setdefault(utterance.speaker, len(positions))
        samples = pool.samples(turn.place) * np.float32(_gain(turn, plan, pool))
        first = round((turn.start_s - utterance.start_s - zero_s) * pool.rate_hz)
        parts.append((first, first + len(samples), _in_room(samples, plan, position, rooms, pool.rate_hz)))
    mixed = np.zeros(max(end for _, end, _ in parts), dtype=np.float32)
    for first, _, samples in parts:
        kept = samples[: len(mixed) - first]
        mixed[first : first + len(kept)] += kept
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), dtype=np.float32)


def _zero(plan: Plan, pool: Pool) -> float:
    """On the plan's clock, where what is heard begins: with the first of its recordings."""
    return min(turn.start_s - pool.utterances[turn.place].start_s for turn in plan.turns)


def _gain(turn: Placed, plan: Plan, pool: Pool) -> float:
    """The factor that puts an utterance ``level_db`` above the one of reference, over the active frames of both."""
    own = pool.utterances[turn.place].power
    reference = pool.utterances[plan.turns[plan.reference].place].power
    return math.sqrt(reference / own) * 10 ** (turn.level_db / 20) if own > 0 and reference > 0 else 1.0


def _moved(words: Sequence[Word], by_s: float) -> tuple[Word, ...]:
    return tuple(Word(word.text, word.start_s + by_s, word.end_s + by_s) for word in words)


def _in_room(samples: Samples, plan: Plan, position: int, rooms: str, rate_hz: int) -> Samples:
    if plan.room is None:
        return samples
    from scipy.fft import irfft, next_fast_len, rfft

    room = response(rooms, plan.room, position, rate_hz)
    n = len(samples) + len(room) - 1
    size = next_fast_len(n, real=True)
    return np.asarray(irfft(rfft(samples, size) * rfft(room, size), size)[:n], dtype=np.float32)
