"""Streams at once: closed forms of the queue, and a search against servers whose capacity is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench import clock, crowd

CHUNK_MS = 100


def even(n_streams: int, service_s: float) -> crowd.Round:
    """Streams that begin evenly spread, every chunk taking the same time."""
    period_s = crowd.period_s(CHUNK_MS)
    n = round(period_s / 0.1) * n_streams
    return crowd.Round([0.1 * k / n_streams for k in range(n)], [service_s] * n, period_s)


def test_a_server_that_keeps_up_delays_nobody_by_more_than_its_service() -> None:
    assert crowd.p95_ms([even(5, 0.02)]) == pytest.approx(20.0)
    assert crowd.busy_share([even(5, 0.02)]) == pytest.approx(1.0)


def test_a_server_two_percent_over_falls_behind_for_the_whole_minute() -> None:
    """60 s of work at 102 %: the delay grows to 1.2 s, and 95 % of the chunks stay under 95 % of that."""
    assert crowd.p95_ms([even(5, 0.0204)]) == pytest.approx(0.95 * 1200 + 20, abs=5)
    one_round = clock.replay_round(even(5, 0.0204).due_s, even(5, 0.0204).service_s, 4.0, 1)
    assert 1000 * np.percentile(one_round, 95) < crowd.LIMIT_MS


def test_the_slowest_of_several_servers_counts() -> None:
    assert crowd.p95_ms([even(5, 0.01), even(5, 0.03)]) > crowd.LIMIT_MS
    assert crowd.busy_share([even(5, 0.01), even(5, 0.03)]) == pytest.approx(1.5)


@given(st.integers(1, 400))
def test_the_search_finds_what_a_server_can_do(capacity: int) -> None:
    def attempt(n: int) -> tuple[crowd.Attempt, float]:
        return crowd.Attempt(n, 20.0 if n <= capacity else 900.0), n / capacity

    tried = crowd.search(attempt)
    found = crowd.bracket(tried)
    assert len(tried) <= crowd.MOST_ATTEMPTS + 1
    assert found.failed is not None
    assert found.held <= capacity < found.failed
    assert found.failed - found.held <= max(1, crowd.FINENESS * found.held)


def test_a_guess_that_is_far_off_is_mended() -> None:
    """The first stream says that five fit; thirty do."""
    found = crowd.bracket(crowd.search(lambda n: (crowd.Attempt(n, 20.0 if n <= 30 else 900.0), 0.2)))
    assert found.failed is not None
    assert 25 <= found.held <= 30 < found.failed


def test_not_even_one_stream() -> None:
    tried = crowd.search(lambda n: (crowd.Attempt(n, 900.0), 1.7))
    assert crowd.bracket(tried) == crowd.Found(0, 1)


def test_one_stall_of_the_machine_is_not_believed() -> None:
    """The first attempt with each number fails; the second tells what the server can do."""
    seen: set[int] = set()

    def attempt(n: int) -> tuple[crowd.Attempt, float]:
        stalled = n not in seen
        seen.add(n)
        return crowd.Attempt(n, 900.0 if stalled or n > 10 else 20.0), 0.5 if stalled else n / 10

    assert crowd.bracket(crowd.search(attempt)) == crowd.Found(10, 11)


def test_a_lucky_attempt_above_a_failed_one_does_not_count() -> None:
    tried = [crowd.Attempt(1, 5.0), crowd.Attempt(8, 400.0), crowd.Attempt(9, 100.0)]
    assert crowd.bracket(tried) == crowd.Found(1, 8)


def test_a_server_without_end_is_a_lower_bound() -> None:
    found = crowd.bracket(crowd.search(lambda n: (crowd.Attempt(n, 1.0), 1e-6)))
    assert found == crowd.Found(crowd.MOST_STREAMS, None)


@pytest.mark.parametrize(("chunk_ms", "seconds"), [(120, 3.96), (100, 4.0), (9000, 9.0)])
def test_a_round_is_whole_chunks(chunk_ms: int, seconds: float) -> None:
    assert crowd.period_s(chunk_ms) == pytest.approx(seconds)
