"""Pacing: Lindley's recursion against the recursion written out, and what a stall does to those behind it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench import clock
from earmark.bench.api import Samples, Token, Update


class Echo:
    """Says the number of samples it got; takes as long as it is told to."""

    def __init__(self, service_s: float = 0.0) -> None:
        self.service_s = service_s

    def accept(self, samples: Samples) -> Update:
        time.sleep(self.service_s)
        return Update(final=(Token(f" {len(samples)}"),))

    def finish(self) -> Update:
        return Update(final=(Token(" end"),))


def recursion(due: list[float], service: list[float]) -> list[float]:
    ends: list[float] = []
    for d, s in zip(due, service, strict=True):
        ends.append(max(d, ends[-1] if ends else 0.0) + s)
    return ends


durations = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=40)


@given(durations)
def test_replay_is_the_recursion(steps: list[tuple[float, float]]) -> None:
    due = np.cumsum([step for step, _ in steps]).tolist()
    service = [s for _, s in steps]
    start, end = clock.replay(due, service)
    np.testing.assert_allclose(end, recursion(due, service), atol=1e-9)
    assert (start >= np.array(due) - 1e-9).all()


def test_a_stall_delays_those_behind_it() -> None:
    """100 chunks of 100 ms at 20 ms each, chunk 51 stalls 1000 ms: p90 208, p95 604, p99 920.8, twelve late."""
    due = [0.1 * (k + 1) for k in range(100)]
    service = [0.02] * 100
    service[50] = 1.0
    _, end = clock.replay(due, service)
    delay_ms = 1000 * (end - np.array(due))
    assert np.percentile(delay_ms, [90, 95, 99]) == pytest.approx([208, 604, 920.8])
    assert (delay_ms > 100).sum() == 12


def test_chunks_are_due_when_their_last_sample_is_spoken() -> None:
    events = clock.virtual_pass(Echo(), np.zeros(250, np.float32), chunk=100, rate_hz=1000)
    assert [e.due_s for e in events] == pytest.approx([0.1, 0.2, 0.25, 0.25])
    assert [e.n_samples for e in events] == [100, 100, 50, 0]
    assert [t.text for e in events for t in e.update.final] == [" 100", " 100", " 50", " end"]


def test_a_virtual_pass_does_not_wait_for_the_audio() -> None:
    started = time.perf_counter()
    events = clock.virtual_pass(Echo(), np.zeros(60_000, np.float32), chunk=1000, rate_hz=1000)
    assert time.perf_counter() - started < 1.0
    assert events[-1].due_s == 60.0
    assert events[-1].end_s >= 60.0


def test_real_feeding_never_waits_for_the_model() -> None:
    """A model at half speed falls behind by one chunk's length each chunk; arrivals stay on schedule."""
    events = clock.real_pass(Echo(0.04), np.zeros(100, np.float32), chunk=20, rate_hz=1000)
    assert [e.due_s for e in events] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert all(e.start_s >= e.due_s for e in events)
    assert events[4].end_s == pytest.approx(0.02 + 5 * 0.04, abs=0.05)


def test_no_audio_is_only_a_finish() -> None:
    (event,) = clock.virtual_pass(Echo(), np.zeros(0, np.float32), chunk=100, rate_hz=1000)
    assert (event.n_samples, event.due_s) == (0, 0.0)
