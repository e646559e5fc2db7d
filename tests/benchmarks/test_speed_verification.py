"""Verification at real sizes, against scikit-learn's ``roc_curve`` in a loop. Run with ``--benchmark-only -s``."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.bench.metrics.resampling import speaker_draws
from earmark.bench.metrics.streamed import equal_error_rate_streamed
from earmark.bench.metrics.trial_bootstrap import WeightedTrials, eer_bootstrap, replicated
from earmark.bench.metrics.verification import equal_error_rate

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

N_TRIALS, N_SPEAKERS, N_REPLICATES = 37_611, 40, 500  # VoxCeleb1-O, cleaned
N_LOOPED = 25
"""Replicates by scikit-learn; its time grows with their number."""
BUDGET_S = 1.0
N_LARGE, N_PIECES = 10_000_000, 20

Trials = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="module")
def trials() -> Trials:
    rng = np.random.default_rng(0)
    enroll = rng.integers(N_SPEAKERS, size=N_TRIALS)
    test = np.where(np.arange(N_TRIALS) % 2, enroll, rng.integers(N_SPEAKERS, size=N_TRIALS))
    same = enroll == test
    return rng.normal(size=N_TRIALS) + 2.0 * same, same, enroll, test


def by_scikit_learn(trials: Trials, k: NDArray[np.float64]) -> float:
    """Weighted EER from ``roc_curve``, where misses and false accepts are closest: the usual loop."""
    from sklearn.metrics import roc_curve

    scores, same, enroll, test = trials
    weights = np.where(same, k[enroll], k[enroll] * k[test])
    p_fa, p_hit, _ = roc_curve(same, scores, sample_weight=weights)
    at = int(np.argmin(np.abs(1 - p_hit - p_fa)))
    return float((1 - p_hit[at] + p_fa[at]) / 2)


def test_500_replicates_of_the_equal_error_rate(benchmark: BenchmarkFixture, trials: Trials) -> None:
    names = [[f"s{i:02}" for i in side.tolist()] for side in trials[2:]]
    found = benchmark(eer_bootstrap, *trials[:2], *names, n_replicates=N_REPLICATES, seed=0)
    draws = next(iter(speaker_draws(np.random.default_rng(0), N_SPEAKERS, N_REPLICATES)))[:N_LOOPED]
    by_scikit_learn(trials, draws[0])  # what is imported and compiled at first is not its fault
    started = time.perf_counter()
    peers = [by_scikit_learn(trials, k) for k in draws]
    looped_s = (time.perf_counter() - started) * N_REPLICATES / N_LOOPED
    assert found[:N_LOOPED] == pytest.approx(peers, abs=1e-3)  # they interpolate in another way
    if benchmark.stats is not None:  # none with --benchmark-disable
        took = benchmark.stats.stats.mean
        benchmark.extra_info.update(share_of_budget=took / BUDGET_S, times_faster_than_roc_curve=looped_s / took)
        print(
            f"\n{N_REPLICATES} replicates over {N_TRIALS} trials: {took:.2f} s of {BUDGET_S} s; "
            f"roc_curve in a loop {looped_s:.1f} s, {looped_s / took:.1f} times as long"
        )


def test_500_replicates_of_every_measure(benchmark: BenchmarkFixture, trials: Trials) -> None:
    scores, same, enroll, test = trials
    weighted = WeightedTrials(scores, same, enroll, test, llrs=2 * scores - 2)
    (draws,) = speaker_draws(np.random.default_rng(0), N_SPEAKERS, N_REPLICATES)
    found = benchmark.pedantic(replicated, (weighted, draws), rounds=3)  # type: ignore[no-untyped-call]
    assert len(found) == 10


def large(n_pieces: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    for _ in range(n_pieces):
        n = N_LARGE // n_pieces
        yield rng.normal(2, 1, n // 10).astype(np.float32), rng.normal(0, 1, n - n // 10).astype(np.float32)


def test_ten_million_scores_in_memory(benchmark: BenchmarkFixture) -> None:
    ((targets, others),) = large(1)
    rate = benchmark.pedantic(equal_error_rate, (targets, others), rounds=3)  # type: ignore[no-untyped-call]
    assert rate == pytest.approx(0.1587, abs=0.001)  # of a normal deviate of one


def test_ten_million_scores_in_pieces(benchmark: BenchmarkFixture) -> None:
    """The pieces are drawn again in each pass, which is part of the time."""
    rate = benchmark.pedantic(equal_error_rate_streamed, (lambda: large(N_PIECES),), rounds=1)  # type: ignore[no-untyped-call]
    assert rate == pytest.approx(0.1587, abs=0.001)
    tracemalloc.start()
    equal_error_rate_streamed(lambda: large(N_PIECES))
    peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    benchmark.extra_info["peak_mib"] = peak_mib
    print(f"\n{N_LARGE} scores in {N_PIECES} pieces: at most {peak_mib:.0f} MiB")
    assert peak_mib < 64
