"""What the harness adds to a model, beside a bare loop of the same calls in turns; and its queue of a minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from turns import best_of_turns

from earmark.bench import clock, crowd
from earmark.bench.api import Recognizer
from earmark.models.rnnt.model import build

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

RATE_HZ, CHUNK, N_ROUNDS = 16_000, 1_920, 20

pytestmark = pytest.mark.usefixtures("one_thread")


def bare(model: Recognizer, chunks: list[np.ndarray]) -> None:
    stream = model.stream()
    for chunk in chunks:
        stream.accept(chunk)
    stream.finish()


def test_a_virtual_pass_beside_a_bare_loop(benchmark: BenchmarkFixture) -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    samples = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32)
    chunks = clock.cut(samples, CHUNK)
    runs: dict[str, Callable[[], object]] = {
        "harness": lambda: clock.virtual_pass(model.stream(), samples, chunk=CHUNK, rate_hz=RATE_HZ),
        "bare": lambda: bare(model, chunks),
    }
    best_of_turns(runs, 2)
    best = best_of_turns(runs, N_ROUNDS if benchmark.enabled else 1)
    benchmark.extra_info["ratio_to_bare"] = best["harness"] / best["bare"]
    assert len(benchmark(runs["harness"])) == len(chunks) + 1


def test_a_minute_of_a_thousand_streams(benchmark: BenchmarkFixture) -> None:
    n = 1000 * 33
    due = np.sort(np.random.default_rng(0).uniform(0.0, 3.96, n))
    rounds = [crowd.Round(due.tolist(), [0.0001] * n, 3.96)]
    assert benchmark(crowd.p95_ms, rounds) < crowd.LIMIT_MS
