"""Delays of words and streams, real-time factors and percentiles in which a missing output counts.

Times come in seconds, delays go out in milliseconds, the unit of the rows. *Stream* time counts audio; *wall* time
runs from the moment the recording's first sample was due, so the sample at stream time t is due at wall time t and
queueing behind a slow chunk counts. Infinity belongs to streams without any output; word delays are those of the
words recognized correctly, and their row carries ``coverage``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import quantile_of_sorted


def percentile(values: Iterable[float | None], q: float) -> float:
    """The q-th percentile (0 to 100) by linear interpolation; missing (None or +infinity) values stay in n.

    Infinite as soon as it touches a missing value, never NaN. Raises InputError on no values, a NaN or a bad q.

    >>> percentile([300, 350, 400, None], 50), percentile([300, 350, 400, None], 90)
    (375.0, inf)
    """
    if not isinstance(values, np.ndarray):  # an array has no None in it, and bootstraps come here thousands of times
        values = np.array([math.inf if x is None else x for x in values])
    v = np.sort(values.astype(np.float64))
    if not len(v) or np.isnan(v).any():
        raise InputError("a percentile needs values, none of them NaN", fix="give a missing output as None")
    if not 0 <= q <= 100:
        raise InputError(f"percentile {q} is outside 0 to 100")
    return quantile_of_sorted(v, q / 100)


def real_time_factor(service_s: ArrayLike, audio_s: ArrayLike) -> float | None:
    """Time spent over audio heard, sum(service) / sum(audio); below 1 keeps up. None without audio."""
    audio = float(np.sum(np.asarray(audio_s, dtype=np.float64)))
    return float(np.sum(np.asarray(service_s, dtype=np.float64))) / audio if audio > 0 else None


def max_window_rtf(service_s: ArrayLike, due_s: ArrayLike, window_s: float = 10.0) -> float | None:
    """The largest real-time factor over any run of chunks with at least ``window_s`` of audio.

    ``due_s`` (n,) is when each chunk's last sample was due, from the stream's start, so a chunk's audio is the step
    from the one before; the closing flush has the due time of the last chunk and no audio. A shorter stream is one
    window. None without audio.
    """
    due = np.concatenate([[0.0], np.asarray(due_s, dtype=np.float64)])
    spent = np.concatenate([[0.0], np.cumsum(np.asarray(service_s, dtype=np.float64))])
    if len(due) != len(spent) or (np.diff(due) < 0).any():
        raise InputError("chunks need one service and one due time each, due times ascending")
    if due[-1] <= 0:
        return None
    # "right" takes in chunks without audio (the flush) that follow the one which completes the window
    reach = np.searchsorted(due, due + window_s - 1e-9)
    whole = np.flatnonzero(reach < len(due))
    if not len(whole):
        return float(spent[-1] / due[-1])
    end = np.searchsorted(due, due[reach[whole]], side="right") - 1
    return float(np.max((spent[end] - spent[whole]) / (due[end] - due[whole])))


@dataclass(frozen=True, slots=True)
class Emission:
    """One correctly recognized reference word and when it was shown, all in seconds from the recording's start.

    ``end_s``: aligned end of the word. ``first_*`` and ``final_*``: since when it has stood in its place of the
    transcript, possibly in a partial, and when it could no longer change. ``*_stream_s``: audio fed by then;
    ``*_wall_s``: wall time.
    """

    end_s: float
    first_stream_s: float
    final_stream_s: float
    first_wall_s: float
    final_wall_s: float


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """One stream: start of its first reference word (0 if unknown), its audio and the wall times of its results.

    ``first_token_wall_s`` is None for a stream that never showed anything; the last result is the return of the
    closing flush and always exists.
    """

    speech_start_s: float
    audio_s: float
    first_token_wall_s: float | None
    last_result_wall_s: float


def emission(words: Sequence[Emission]) -> list[float]:
    """Stream time of the chunk that made each word final minus the word's end, ms; no compute, may be negative."""
    return [1000 * (w.final_stream_s - w.end_s) for w in words]


def upl_final(words: Sequence[Emission]) -> list[float]:
    """User-perceived latency, ms: wall time at which each word was final minus the time its last sample was due."""
    return [1000 * (w.final_wall_s - w.end_s) for w in words]


def upl_first(words: Sequence[Emission]) -> list[float]:
    """As :func:`upl_final`, for the moment since which each word has stood in its place."""
    return [1000 * (w.first_wall_s - w.end_s) for w in words]


def first_token(streams: Sequence[StreamTimes]) -> list[float]:
    """Wall time of each stream's first shown text minus the start of its speech, ms; infinity without any text."""
    return [
        math.inf if s.first_token_wall_s is None else 1000 * (s.first_token_wall_s - s.speech_start_s) for s in streams
    ]


def finalize(streams: Sequence[StreamTimes]) -> list[float]:
    """Wall time of each stream's last result minus the time its last sample was due, ms."""
    return [1000 * (s.last_result_wall_s - s.audio_s) for s in streams]


def coverage(n_matched: int, n_reference: int) -> float | None:
    """Share of the reference words that the word delays speak for; None without reference words."""
    return n_matched / n_reference if n_reference else None


def count_revisions(transcripts: Sequence[Sequence[str]]) -> int:
    """Words shown and later changed or withdrawn, over the successive transcripts (lists of words) of one stream.

    Words behind the first change count once each time: from "a b c" to "a x c d", b and c were revised.

    >>> count_revisions([["a"], ["a", "b", "c"], ["a", "x", "c", "d"]])
    2
    """
    revised = 0
    for before, after in pairwise(transcripts):
        kept = next((i for i, (x, y) in enumerate(zip(before, after, strict=False)) if x != y), len(after))
        revised += max(0, len(before) - kept)
    return revised
