"""What the intervals and flags promise, measured on worlds whose truth is known. ``pytest -s`` prints the figures.

Speakers of 40 utterances of 8 words, 10 % of the words wrong on average, with a log-normal speaker effect of sigma 0.5.
The expected figures are those of a simulation outside this package; its Monte Carlo error is about two points.
"""

from __future__ import annotations

import numpy as np
import pytest
from speakers import N_UTTERANCES, N_WORDS, RATE, Floats, heard, rates, world

from earmark.bench.metrics import (
    cohort_gap,
    max_t,
    paired_difference,
    per_speaker,
    rate_standard_error,
    speaker_bootstrap,
)
from earmark.bench.metrics.resampling import Interval

pytestmark = pytest.mark.slow

N_WORLDS = 2000


def covers(interval: Interval) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= RATE <= interval.high


@pytest.mark.parametrize(
    ("n_speakers", "percentile", "bootstrap_t"),
    [(5, 80, 93), (10, 89, 94), (20, 90, 93), (30, 91, 93.5), (50, 94, 94)],
)
def test_coverage_of_the_speaker_bootstrap(n_speakers: int, percentile: float, bootstrap_t: float) -> None:
    rng, hits = np.random.default_rng(n_speakers), {"percentile": 0, "bootstrap-t": 0}
    for seed in range(N_WORLDS):
        errors, words = world(rng, n_speakers)
        for method in hits:
            hits[method] += covers(speaker_bootstrap(errors, words, seed=seed, method=method))  # type: ignore[arg-type]
    found = {method: 100 * n / N_WORLDS for method, n in hits.items()}
    print(f"coverage of 95 % intervals, {n_speakers} speakers: {found}")
    assert found == pytest.approx({"percentile": percentile, "bootstrap-t": bootstrap_t}, abs=3)


def test_coverage_of_an_utterance_bootstrap() -> None:
    """Utterances of one speaker resemble each other: drawn singly, they make intervals that hold half the time."""
    rng, hits = np.random.default_rng(0), 0
    for seed in range(600):
        errors = rng.binomial(N_WORDS, rates(rng, 30)[:, None], (30, N_UTTERANCES)).ravel()
        hits += covers(speaker_bootstrap(errors, np.full(len(errors), N_WORDS), seed=seed, n_replicates=400))
    print(f"coverage of a 95 % utterance bootstrap, 30 speakers: {100 * hits / 600:.1f}")
    assert 100 * hits / 600 == pytest.approx(49, abs=6)


def test_false_flags_among_twenty_equal_cohorts() -> None:
    rng, uncorrected, corrected = np.random.default_rng(0), 0, 0
    labels = [f"c{i % 20}" for i in range(300)]
    for seed in range(500):
        found = max_t(*world(rng, 300), labels, seed=seed, n_replicates=500)
        uncorrected, corrected = uncorrected + bool(found.uncorrected), corrected + bool(found.flagged)
    print(f"any false flag, 20 cohorts of 15: |z| > 1.96 {uncorrected / 5:.1f} %, max-T {corrected / 5:.1f} %")
    assert 100 * uncorrected / 500 == pytest.approx(79, abs=6)
    assert 100 * corrected / 500 == pytest.approx(3, abs=3)


@pytest.mark.parametrize(
    ("n_cohorts", "n_each", "mean"), [(2, 10, 0.21), (10, 10, 0.75), (10, 30, 0.37), (20, 30, 0.47), (20, 100, 0.23)]
)
def test_gap_of_equal_cohorts(n_cohorts: int, n_each: int, mean: float) -> None:
    """(max - min) / min where there is nothing to find, and a null that says so in all but 5 % of the worlds."""
    rng, gaps, above = np.random.default_rng(0), [], 0
    n_worlds = 200
    labels = [f"c{i % n_cohorts}" for i in range(n_cohorts * n_each)]
    names = [f"s{i:04}" for i in range(len(labels))]
    for seed in range(n_worlds):
        sums = per_speaker(names, *world(rng, len(labels)))
        found = cohort_gap(sums, labels, n_replicates=2, n_permutations=100, seed=seed)["gap_rel"]
        assert found.value is not None
        assert found.null_q95 is not None
        gaps.append(found.value)
        above += found.value > found.null_q95
    print(f"gap_rel of {n_cohorts} equal cohorts of {n_each}: {np.mean(gaps):.2f}; above null {above / n_worlds:.3f}")
    assert np.mean(gaps) == pytest.approx(mean, abs=0.05)
    assert above / n_worlds == pytest.approx(0.055, abs=0.05)  # 100 deals put the bound a point too low


def test_paired_standard_error_is_a_third_of_the_unpaired() -> None:
    """Forty speakers, one error in ten repaired: 0.0039 against 0.0102 in one world, seven times the speakers."""
    rng, paired, unpaired = np.random.default_rng(0), [], []
    for _ in range(300):
        true = rates(rng, 40)
        (before, words), (after, _words) = heard(rng, true), heard(rng, 0.9 * true)
        paired.append(paired_difference(before, after, words, n_replicates=2, seed=0).standard_error)
        unpaired.append(np.hypot(*(rate_standard_error(side, words) or 0 for side in (before, after))))
    print(f"standard error: paired {np.mean(paired):.4f}, unpaired {np.mean(unpaired):.4f}")
    assert np.mean(paired) == pytest.approx(0.0039, rel=0.1)
    assert np.quantile(unpaired, 0.05) < 0.0102 < np.mean(unpaired) < 0.0125
    assert 7 < (np.mean(unpaired) / np.mean(paired)) ** 2 < 12


@pytest.mark.parametrize("n_speakers", [20, 40, 100])
def test_false_alarms_of_one_checkpoint_against_itself(n_speakers: int) -> None:
    """The same rates heard twice: p values are uniform and the interval holds zero."""
    rng, p_values, held = np.random.default_rng(n_speakers), [], 0
    for seed in range(800):
        true = rates(rng, n_speakers)
        (before, words), (after, _words) = heard(rng, true), heard(rng, true)
        found = paired_difference(before, after, words, seed=seed, n_replicates=300)
        p_values.append(found.p_value)
        held += found.interval.low <= 0 <= found.interval.high  # type: ignore[operator]
    alarms, halves = (float(np.mean(np.array(p_values) <= level)) for level in (0.05, 0.5))
    print(
        f"A/A, {n_speakers} speakers: p <= 0.05 {alarms:.3f}, p <= 0.5 {halves:.3f}, interval holds 0 {held / 800:.3f}"
    )
    assert alarms == pytest.approx(0.05, abs=0.025)
    assert halves == pytest.approx(0.5, abs=0.06)
    assert held / 800 == pytest.approx(0.94, abs=0.03)


@pytest.mark.parametrize("n_seeds", [3, 6])
@pytest.mark.parametrize("luck", [0.0, 0.1])
def test_false_alarms_of_a_method_against_itself(n_seeds: int, luck: float) -> None:
    """Seeds of one method on both sides; where they differ by a tenth, speakers alone would see a difference."""
    rng, held, alarms, fooled = np.random.default_rng(n_seeds), 0, 0, 0

    def method(true: Floats) -> Floats:
        return np.array([heard(rng, np.minimum(true * np.exp(rng.normal(0, luck)), 0.9))[0] for _ in range(n_seeds)])

    for seed in range(300):
        true, words = rates(rng, 40), np.full(40, 320.0)
        before, after = method(true), method(true)
        found = paired_difference(before, after, words, paired_seeds=False, n_replicates=300, seed=seed)
        held += found.interval.low <= 0 <= found.interval.high  # type: ignore[operator]
        alarms += found.p_value is not None and found.p_value <= 0.05
        one = paired_difference(before[0], after[0], words, n_replicates=300, seed=seed)
        fooled += one.p_value is not None and one.p_value <= 0.05
    print(f"{n_seeds} seeds, luck {luck}: interval holds 0 {held / 300:.3f}, p <= 0.05 {alarms / 300:.3f}; "
          f"of one checkpoint {fooled / 300:.3f}")  # fmt: skip
    assert held / 300 >= 0.92
    assert alarms / 300 <= 0.06
    assert fooled / 300 > 0.4 if luck else fooled / 300 < 0.09
