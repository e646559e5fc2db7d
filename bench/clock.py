"""Pacing: when a stream's chunks are due, when they start, and when their results are there.

A recording is heard live: chunk k is due at the moment its last sample has been spoken. Latency counts from that
moment, never from when the model was ready for it, so a stall delays everything behind it (no coordinated omission).

Virtual pacing feeds chunks back to back, measures each service time, and replays arrivals on schedule. Real pacing
feeds on absolute deadlines from a thread of its own that never waits for the model.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import Samples, Stream, Update

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class ChunkEvent:
    """One call into a model. The last event of a recording is ``finish`` (``n_samples`` 0, due at the audio's end)."""

    chunk: int
    n_samples: int
    due_s: float
    start_s: float
    service_s: float
    update: Update

    @property
    def end_s(self) -> float:
        return self.start_s + self.service_s


def replay(due_s: ArrayLike, service_s: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end of each chunk (n,) when chunks arrive on schedule and are served one after the other.

    start_k = max(due_k, end_{k-1}), end_k = start_k + service_k (Lindley's recursion), all in seconds.

    >>> start, end = replay([0.1, 0.2, 0.3], [0.05, 0.25, 0.05])
    >>> [round(float(x), 2) for x in end]
    [0.15, 0.45, 0.5]
    """
    due, service = np.asarray(due_s, dtype=np.float64), np.asarray(service_s, dtype=np.float64)
    done = np.cumsum(service)
    idle_until = np.maximum.accumulate(due - (done - service))  # Lindley's recursion, unrolled
    end = idle_until + done
    return end - service, end


def cut(samples: Samples, chunk: int) -> list[Samples]:
    """Consecutive chunks of ``chunk`` samples; the last one may be shorter."""
    return [samples[start : start + chunk] for start in range(0, len(samples), chunk)]


def virtual_pass(
    stream: Stream, samples: Samples, *, chunk: int, rate_hz: int, synchronize: Callable[[], None] = lambda: None
) -> list[ChunkEvent]:
    """Feed a recording as fast as the model takes it; the events carry the times of the live replay."""
    chunks = cut(samples, chunk)
    measured = [_timed(stream, part, synchronize) for part in [*chunks, None]]
    due_s = _due(chunks, rate_hz)
    start_s, _ = replay(due_s, [service for service, _ in measured])
    sizes = [*map(len, chunks), 0]
    return [
        ChunkEvent(k, sizes[k], due_s[k], float(start_s[k]), service, update)
        for k, (service, update) in enumerate(measured)
    ]


def real_pass(
    stream: Stream, samples: Samples, *, chunk: int, rate_hz: int, synchronize: Callable[[], None] = lambda: None
) -> list[ChunkEvent]:
    """Feed a recording in real time: absolute deadlines, a feeder that never waits for the model."""
    chunks = cut(samples, chunk)
    due_s = _due(chunks, rate_hz)
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    zero = time.perf_counter()
    feeder = threading.Thread(target=_feed, args=(arrived, due_s, zero), daemon=True)
    feeder.start()
    events = []
    for _ in due_s:
        k = arrived.get()
        part = chunks[k] if k < len(chunks) else None
        start_s = time.perf_counter() - zero
        service_s, update = _timed(stream, part, synchronize)
        events.append(ChunkEvent(k, 0 if part is None else len(part), due_s[k], start_s, service_s, update))
    feeder.join()
    return events


def _feed(arrived: queue.SimpleQueue[int], due_s: Sequence[float], zero: float) -> None:
    for k, due in enumerate(due_s):
        wait_s = zero + due - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        arrived.put(k)


def _due(chunks: Sequence[Samples], rate_hz: int) -> list[float]:
    """When each chunk's last sample has been spoken, and once more for ``finish``."""
    ends = (np.cumsum([len(part) for part in chunks]) / rate_hz).tolist() if chunks else []
    return [*ends, ends[-1] if ends else 0.0]


def _timed(stream: Stream, part: Samples | None, synchronize: Callable[[], None]) -> tuple[float, Update]:
    synchronize()
    started = time.perf_counter()
    update = stream.finish() if part is None else stream.accept(part)
    synchronize()
    return time.perf_counter() - started, update
