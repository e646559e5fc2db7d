"""How long scoring takes at real sizes. Run with ``pytest tests/benchmarks --benchmark-only``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from earmark.bench.metrics.cohorts import cohort_gap, cohort_rates
from earmark.bench.metrics.percentiles import cohort_percentiles
from earmark.bench.metrics.statistics import SpeakerSums, per_speaker, speaker_bootstrap
from earmark.bench.metrics.words import score_many

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

N_UTTERANCES, N_SPEAKERS, N_COHORTS = 1_000_000, 10_000, 100
BUDGET_S = 5.0


@pytest.fixture(scope="module")
def utterances() -> tuple[list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    words = rng.integers(3, 15, N_UTTERANCES)
    speakers = [f"s{i}" for i in rng.integers(N_SPEAKERS, size=N_UTTERANCES).tolist()]
    return speakers, rng.binomial(words, 0.1), words


def cohort_of(sums: SpeakerSums) -> list[str]:
    return [f"c{int(s[1:]) % N_COHORTS}" for s in sums.speakers]


def test_score_words_of_a_thousand_utterances(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{i}" for i in range(500)])
    references = [" ".join(rng.choice(vocabulary, 15)) for _ in range(1000)]
    hypotheses = [" ".join(w for w in r.split() if rng.random() > 0.1) for r in references]
    errors = sum(benchmark(score_many, references, hypotheses))
    assert errors.reference_words == 15_000
    assert errors.rate == pytest.approx(0.1, abs=0.02)


def test_speaker_bootstrap_of_a_million_utterances(
    benchmark: BenchmarkFixture, utterances: tuple[list[str], np.ndarray, np.ndarray]
) -> None:
    def interval() -> tuple[float | None, float | None]:
        sums = per_speaker(*utterances)
        found = speaker_bootstrap(sums.errors, sums.units, n_replicates=1000, seed=0)
        return found.low, found.high

    low, high = benchmark.pedantic(interval, rounds=3)  # type: ignore[no-untyped-call]
    assert 0.099 < low < high < 0.101


def test_cohort_bootstrap_of_a_million_utterances(
    benchmark: BenchmarkFixture, utterances: tuple[list[str], np.ndarray, np.ndarray]
) -> None:
    """1,000 replicates over the speakers of each of 100 cohorts, from utterances to intervals; the budget is 5 s."""

    def intervals() -> int:
        sums = per_speaker(*utterances)
        return len(cohort_rates(sums, cohort_of(sums), n_replicates=1000, seed=0))

    assert benchmark.pedantic(intervals, rounds=3) == N_COHORTS  # type: ignore[no-untyped-call]
    if benchmark.stats is not None:  # none with --benchmark-disable
        took = benchmark.stats.stats.mean
        benchmark.extra_info["share_of_budget"] = took / BUDGET_S
        print(f"speaker bootstrap of {N_COHORTS} cohorts, {N_UTTERANCES} utterances: {took:.2f} s of {BUDGET_S} s")


def test_p95_of_cohorts_of_delays(benchmark: BenchmarkFixture) -> None:
    """10,000 word delays of 200 speakers in 4 cohorts: a cell's gap in p95 latency with its interval and null."""
    rng = np.random.default_rng(0)
    speakers = [f"s{i}" for i in rng.integers(200, size=10_000).tolist()]
    cohort = {f"s{i}": f"c{i % 4}" for i in range(200)}
    found = benchmark(cohort_percentiles, rng.exponential(100, 10_000), speakers, cohort, 95, seed=0)
    assert found.gap.status == "ok"


def test_a_hundred_cohorts_of_a_million_utterances(
    benchmark: BenchmarkFixture, utterances: tuple[list[str], np.ndarray, np.ndarray]
) -> None:
    """Rates with intervals, every gap with its interval, and the null: all that the table shows."""

    def everything() -> int:
        sums = per_speaker(*utterances)
        labels = cohort_of(sums)
        gap = cohort_gap(sums, labels, n_replicates=1000, n_permutations=1000, seed=0)
        assert gap.status == "ok"
        return len(cohort_rates(sums, labels, n_replicates=1000, seed=0))

    n_cohorts = benchmark.pedantic(everything, rounds=3)  # type: ignore[no-untyped-call]
    assert n_cohorts == N_COHORTS
