from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.latency import (
    Emission,
    StreamTimes,
    count_revisions,
    coverage,
    emission,
    finalize,
    first_token,
    max_window_rtf,
    percentile,
    real_time_factor,
    upl_final,
    upl_first,
)

# A hundred chunks of 100 ms, 20 ms of compute each, chunk 51 stalls for a second.
SERVICE_MS = [1000.0 if k == 50 else 20.0 for k in range(100)]
DUE_MS = [100.0 * (k + 1) for k in range(100)]


def paced_delays_ms() -> list[float]:
    """Lindley's recursion: a chunk starts when it is due and the one before is done."""
    done, delays = 0.0, []
    for due, service in zip(DUE_MS, SERVICE_MS, strict=True):
        done = max(done, due) + service
        delays.append(done - due)
    return delays


def test_closed_loop_hides_the_queue() -> None:
    assert percentile(SERVICE_MS, 95) == 20
    assert percentile(SERVICE_MS, 99) == pytest.approx(29.8)
    assert sum(ms > 100 for ms in SERVICE_MS) == 1


def test_paced_stream_shows_the_queue() -> None:
    delays = paced_delays_ms()
    assert [percentile(delays, q) for q in (90, 95, 99)] == pytest.approx([208, 604, 920.8])
    assert sum(ms > 100 for ms in delays) == 12


def test_real_time_factor_is_blind_to_pacing() -> None:
    assert real_time_factor(np.array(SERVICE_MS) / 1000, [10.0]) == pytest.approx(0.298)
    assert real_time_factor([1.0], []) is None


def test_missing_output_counts_as_infinite() -> None:
    assert percentile([300, 350, 400], 90) == 390
    assert percentile([300, 350, 400, None], 90) == math.inf
    assert percentile([300, 350, 400, math.inf], 50) == 375
    assert percentile([1.0, math.inf], 0) == 1.0
    assert percentile([math.inf, math.inf], 50) == math.inf


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_percentile_of_finite_values_is_numpys(values: list[float], q: float) -> None:
    assert percentile(values, q) == pytest.approx(float(np.percentile(values, q)), abs=1e-6)


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(1, 5), st.floats(0, 100))
def test_percentile_is_never_nan(values: list[float], n_missing: int, q: float) -> None:
    found = percentile([*values, *[None] * n_missing], q)
    assert found == math.inf or (values and min(values) <= found <= max(values) + 1e-6)


@pytest.mark.parametrize(("values", "q"), [([], 50), ([math.nan], 50), ([1.0], 101)])
def test_percentile_refuses(values: list[float], q: float) -> None:
    with pytest.raises(InputError):
        percentile(values, q)


def test_window_finds_the_stall() -> None:
    service, due = np.array(SERVICE_MS) / 1000, np.array(DUE_MS) / 1000
    assert max_window_rtf(service, due) == pytest.approx(0.298)  # the stream is one window
    assert max_window_rtf(service, due, window_s=1.0) == pytest.approx(1.18)  # the stall and nine chunks
    assert max_window_rtf(service, due, window_s=60.0) == pytest.approx(0.298)  # shorter than a window


def test_window_counts_the_flush_and_brute_force_agrees() -> None:
    rng = np.random.default_rng(0)
    due = np.append(np.cumsum(rng.uniform(0.05, 0.3, 40)), 0.0)
    due[-1] = due[-2]  # the flush: no audio of its own
    service = rng.exponential(0.05, 41)
    starts = np.append(0.0, due[:-1])
    rates = [
        service[i : j + 1].sum() / (due[j] - starts[i]) for i in range(41) for j in range(i, 41) if due[j] > starts[i]
    ]
    assert max_window_rtf(service, due, window_s=1e-3) <= max(rates) + 1e-12
    windows = []
    for i in range(41):
        complete = [j for j in range(i, 41) if due[j] - starts[i] >= 2.0]
        if complete:
            same_time = max(j for j in range(41) if due[j] == due[complete[0]])
            windows.append(service[i : same_time + 1].sum() / (due[same_time] - starts[i]))
    assert max_window_rtf(service, due, window_s=2.0) == pytest.approx(max(windows))


def test_window_refuses_times_that_run_backward() -> None:
    with pytest.raises(InputError):
        max_window_rtf([0.1, 0.1], [0.2, 0.1])
    assert max_window_rtf([0.1], [0.0]) is None


def test_word_delays() -> None:
    # A word ends at 1.25 s; chunks of 0.1 s. It shows up with the chunk fed by 1.3 s and is final with that of 1.5 s.
    word = Emission(end_s=1.25, first_stream_s=1.3, final_stream_s=1.5, first_wall_s=1.34, final_wall_s=1.61)
    early = Emission(end_s=1.25, first_stream_s=1.2, final_stream_s=1.2, first_wall_s=1.22, final_wall_s=1.22)
    assert emission([word, early]) == pytest.approx([250, -50])
    assert upl_final([word, early]) == pytest.approx([360, -30])
    assert upl_first([word, early]) == pytest.approx([90, -30])
    assert coverage(3, 4) == 0.75
    assert coverage(0, 0) is None


def test_stream_delays_of_a_silent_stream() -> None:
    heard, silent = StreamTimes(0.5, 3.0, 1.1, 3.25), StreamTimes(0.5, 3.0, None, 3.2)
    assert first_token([heard, silent]) == pytest.approx([600, math.inf])
    assert finalize([heard, silent]) == pytest.approx([250, 200])


@pytest.mark.parametrize(
    ("transcripts", "revised"),
    [
        ([], 0),
        ([["a"], ["a", "b"], ["a", "b"]], 0),
        ([["a", "b"], ["a"]], 1),
        ([["a", "b", "c"], ["a", "x", "c"]], 2),
        ([["a"], [], ["a"]], 1),
    ],
)
def test_revisions(transcripts: list[list[str]], revised: int) -> None:
    assert count_revisions(transcripts) == revised
