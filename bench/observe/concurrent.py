"""Opens more and more streams of one model at once and writes what each chunk took; decides nothing that is scored.

As many servers as the cell has threads, each a process of its own on a processor of its own, serve their streams at the
same time, so that they share memory and caches as they would in use. A CUDA device has one server.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count, cycle, islice
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from earmark.bench import clock, crowd
from earmark.bench.api import Recognizer, Samples
from earmark.bench.observe.devices import kind_of, meter_of
from earmark.bench.observe.settings import Advance, Settings, hear
from earmark.bench.tables import Writer

Call = tuple[int, float, float]
"""Stream, due_s, service_s."""


def write_concurrent(
    model: Recognizer, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer, advance: Advance
) -> None:
    """Look for the most streams that are served in real time, and write every chunk of every attempt."""
    assert settings.chunk_ms is not None
    heard = (hear(row, settings, model.info.sample_rate_hz).samples for row in rows)
    recordings = [samples for samples in heard if len(samples)]
    if not recordings:
        return
    n_servers = 1 if kind_of(settings.device) == "cuda" else settings.threads
    numbers = count()

    def attempt(n_streams: int) -> tuple[crowd.Attempt, float]:
        number = next(numbers)
        served = _serve_all(model, recordings, settings, n_servers, n_streams)
        for server, calls in enumerate(served):
            for stream, due_s, service_s in calls:
                writer.add(
                    "concurrent", utterance_id="", attempt=number, n_streams=n_streams, server=server, stream=stream,
                    due_s=due_s, service_s=service_s,
                )  # fmt: skip
        rounds = [_round(calls, settings) for calls in served]
        advance(number + 1, crowd.MOST_ATTEMPTS, f"{n_servers * n_streams} streams at once")
        return crowd.Attempt(n_streams, crowd.p95_ms(rounds)), crowd.busy_share(rounds)

    crowd.search(attempt)


def _round(calls: Sequence[Call], settings: Settings) -> crowd.Round:
    assert settings.chunk_ms is not None
    _, due_s, service_s = zip(*calls, strict=True)
    return crowd.Round(due_s, service_s, crowd.period_s(settings.chunk_ms))


def _serve_all(
    model: Recognizer, recordings: Sequence[Samples], settings: Settings, n_servers: int, n_streams: int
) -> list[list[Call]]:
    if n_servers == 1:
        return [serve(model, recordings, settings, n_streams, server=0)]
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(n_servers)

    def work(server: int, channel: Connection) -> None:
        _alone(server)
        together.wait()
        channel.send(serve(model, recordings, settings, n_streams, server=server))
        channel.close()

    return _in_processes(fork, work, n_servers)


def _in_processes(fork: Any, work: Callable[[int, Connection], None], n_servers: int) -> list[list[Call]]:
    pipes = [fork.Pipe(duplex=False) for _ in range(n_servers)]
    servers = [fork.Process(target=work, args=(n, pipe[1]), daemon=True) for n, pipe in enumerate(pipes)]
    for server, (_, sending) in zip(servers, pipes, strict=True):
        server.start()
        sending.close()
    try:
        return [receiving.recv() for receiving, _ in pipes]
    finally:
        for server in servers:
            server.join(timeout=10)
            server.kill()


def _alone(server: int) -> None:
    """On one processor of those that the cell has, with one thread."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[server % len(processors)]})


def serve(
    model: Recognizer, recordings: Sequence[Samples], settings: Settings, n_streams: int, *, server: int
) -> list[Call]:
    """One round of ``n_streams``: every chunk in the order in which it is due, as fast as the model takes it."""
    assert settings.chunk_ms is not None
    meter, chunk = meter_of(settings.device), round(model.info.sample_rate_hz * settings.chunk_ms / 1000)
    rng = np.random.default_rng([settings.seed, server, n_streams])
    begins = np.sort(rng.uniform(0.0, settings.chunk_ms / 1000, n_streams)).tolist()
    speakers = [_speaker(model, recordings, chunk, stream) for stream in range(n_streams)]
    due = [(begin + settings.chunk_ms / 1000, stream) for stream, begin in enumerate(begins)]
    heapq.heapify(due)
    calls: list[Call] = []
    end_s = crowd.period_s(settings.chunk_ms) + settings.chunk_ms / 1000
    while due:
        due_s, stream = heapq.heappop(due)
        service_s, _, _ = meter(partial(next, speakers[stream]))
        calls.append((stream, due_s, service_s))
        if due_s + settings.chunk_ms / 1000 < end_s:
            heapq.heappush(due, (due_s + settings.chunk_ms / 1000, stream))
    return calls


def _speaker(model: Recognizer, recordings: Sequence[Samples], chunk: int, stream: int) -> Iterator[None]:
    """Says one recording after the other, from one of its own on; each step feeds a chunk and, at an end, finishes."""
    for samples in islice(cycle(recordings), stream % len(recordings), None):
        listening = model.stream()
        parts = clock.cut(samples, chunk)
        for k, part in enumerate(parts):
            listening.accept(part)
            if k == len(parts) - 1:
                listening.finish()
            yield
