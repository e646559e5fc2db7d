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
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import Samples, Stream, Update

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Meter = Callable[[Callable[[], Any]], tuple[float, float | None, Any]]
"""Makes a call: wall seconds until its work was done, seconds that the device itself was at it, result."""


@dataclass(frozen=True, slots=True)
class ChunkEvent:
    """One call into a model. The last event of a recording is ``finish`` (``n_samples`` 0, due at the audio's end)."""

    chunk: int
    n_samples: int
    due_s: float
    start_s: float
    service_s: float
    update: Update
    device_s: float | None = None

    @property
    def end_s(self) -> float:
        return self.start_s + self.service_s


def on_host(call: Callable[[], Any]) -> tuple[float, float | None, Any]:
    """The meter of calls that are done when they return; the device is the processor, all threads together."""
    started, before = time.perf_counter(), time.process_time()
    result = call()
    device_s = time.process_time() - before
    return time.perf_counter() - started, device_s, result


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


def replay_round(due_s: ArrayLike, service_s: ArrayLike, period_s: float, n_rounds: int) -> NDArray[np.float64]:
    """Delays (n_rounds * n,) in seconds, from due to done, of chunks that come again every ``period_s``.

    ``due_s`` (n,) ascends and spans less than a period. A server that is asked for more than it can do falls behind a
    little further each round, which a single short round would not show.
    """
    due, service = np.asarray(due_s, dtype=np.float64), np.asarray(service_s, dtype=np.float64)
    dues = (due[None, :] + period_s * np.arange(n_rounds)[:, None]).ravel()
    _, end = replay(dues, np.tile(service, n_rounds))
    return end - dues


def cut(samples: Samples, chunk: int) -> list[Samples]:
    """Consecutive chunks of ``chunk`` samples; the last one may be shorter."""
    return [samples[start : start + chunk] for start in range(0, len(samples), chunk)]


def virtual_pass(
    stream: Stream, samples: Samples, *, chunk: int, rate_hz: int, meter: Meter = on_host
) -> list[ChunkEvent]:
    """Feed a recording as fast as the model takes it; the events carry the times of the live replay."""
    chunks = cut(samples, chunk)
    measured = [timed(stream, part, meter) for part in [*chunks, None]]
    due_s = _due(chunks, rate_hz)
    start_s, _ = replay(due_s, [service for service, *_ in measured])
    sizes = [*map(len, chunks), 0]
    return [
        ChunkEvent(k, sizes[k], due_s[k], float(start_s[k]), service, update, device_s)
        for k, (service, device_s, update) in enumerate(measured)
    ]


def real_pass(
    stream: Stream, samples: Samples, *, chunk: int, rate_hz: int, meter: Meter = on_host
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
        service_s, device_s, update = timed(stream, part, meter)
        size = 0 if part is None else len(part)
        events.append(ChunkEvent(k, size, due_s[k], start_s, service_s, update, device_s))
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


def timed(stream: Stream, part: Samples | None, meter: Meter) -> tuple[float, float | None, Update]:
    """One call into a stream, ``finish`` where there is no part, with its wall and device seconds."""
    return meter(stream.finish if part is None else lambda: stream.accept(part))
