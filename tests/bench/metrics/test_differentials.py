from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.differentials import (
    DIFFERENTIALS,
    differentials,
    fairness_discrepancy_rate,
    garbe,
)
from earmark.bench.metrics.false_matches import false_match_matrix, false_matches_between
from earmark.bench.metrics.verification import eer_threshold, equal_error_rate, error_rates_at

rates = st.lists(st.floats(0, 1), min_size=2, max_size=6)


def two_cohorts() -> CohortTrials:
    """The reference case: A t = 4 5 6 7, n = 1 2 3 4.5; B is A + 2. Four speakers each, a trial with the next one."""
    scores, enroll, test = [], [], []
    for cohort, shift in (("a", 0.0), ("b", 2.0)):
        for i, (t, n) in enumerate(zip((4, 5, 6, 7), (1, 2, 3, 4.5), strict=True)):
            scores += [t + shift, n + shift]
            enroll += [f"{cohort}{i}"] * 2
            test += [f"{cohort}{i}", f"{cohort}{(i + 1) % 4}"]
    same = [x == y for x, y in zip(enroll, test, strict=True)]
    return CohortTrials.read(scores, same, enroll, test, {s: s[0] for s in enroll})


def test_equal_rates_hide_what_one_threshold_shows() -> None:
    trials = two_cohorts()
    assert [equal_error_rate(*trials.sides(trials.inside(c))) for c in (0, 1)] == [0.25, 0.25]
    assert equal_error_rate(*trials.sides()) == pytest.approx(0.1875)  # below both
    found = differentials(trials, 5.0, n_replicates=20, n_permutations=10, seed=0)
    assert [(c.fnmr.value, c.fmr.value) for c in found.cohorts] == [(0.25, 0.0), (0.0, 0.5)]
    assert found.measures["fdr"].value == 0.625
    assert found.measures["garbe"].value == 1.0  # all misses in one, all false matches in the other
    assert found.measures["fmr_ratio"].value is None  # one of them has none
    assert found.status == "insufficient"
    assert {c.n_speakers for c in found.cohorts} == {4}


def test_gini_of_known_rates() -> None:
    # Mean .2; all pairs, in both orders: 2 (.1 + .2 + .1) = .8; 3/2 * .8 / (2 * 9 * .2) = 1/3
    assert garbe([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], alpha=1.0) == pytest.approx(1 / 3)
    assert garbe([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], alpha=0.25) == pytest.approx(1 / 12)
    assert garbe([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert fairness_discrepancy_rate([0.1, 0.2, 0.3], [0.5, 0.4, 0.5], alpha=0.25) == pytest.approx(
        1 - 0.25 * 0.2 - 0.75 * 0.1
    )


@given(rates, st.floats(0, 1))
def test_bounds_and_the_definition(values: list[float], alpha: float) -> None:
    others = values[::-1]
    found = garbe(values, others, alpha)
    assert -1e-9 <= found <= 1 + 1e-9
    n, mean = len(values), sum(values) / len(values)
    if mean > 1e-6:
        gini = n / (n - 1) * sum(abs(a - b) for a, b in itertools.product(values, values)) / (2 * n**2 * mean)
        assert found == pytest.approx(gini)  # the same rates on both sides
    assert 0 <= fairness_discrepancy_rate(values, others, alpha) <= 1
    assert garbe([v / 2 for v in values], others, alpha) == pytest.approx(
        found, abs=1e-6
    )  # a ratio: scale does not count


def many(shift: float, seed: int = 0) -> CohortTrials:
    """Two cohorts of 30 speakers, everybody against everybody; the scores of cohort b are ``shift`` higher."""
    rng = np.random.default_rng(seed)
    names = [f"{c}{i:02d}" for c in "ab" for i in range(30)]
    rows: list[tuple[float, str, str]] = []
    for one, two in itertools.combinations_with_replacement(names, 2):
        n, mean = (40, 2.0) if one == two else (1, 0.0)
        rows += [(score + shift * (one[0] == "b"), one, two) for score in rng.normal(mean, 1.0, n)]
    scores, enroll, test = zip(*rows, strict=True)
    same = [x == y for x, y in zip(enroll, test, strict=True)]
    return CohortTrials.read(scores, same, enroll, test, {s: s[0] for s in names})


def run(trials: CohortTrials, **rest: Any) -> Any:
    return differentials(trials, eer_threshold(*trials.sides()), n_replicates=100, n_permutations=60, seed=0, **rest)


def test_a_shifted_cohort_lies_beyond_the_null() -> None:
    found = run(many(1.0))
    assert found.status == "ok"
    for name in DIFFERENTIALS:
        measure = found.measures[name]
        assert measure.interval.low <= measure.value <= measure.interval.high
        beyond = measure.value < measure.null_q95 if name == "fdr" else measure.value > measure.null_q95
        assert beyond, name
        further = measure.detectable < measure.null_q95 if name == "fdr" else measure.detectable > measure.null_q95
        assert further, name


def test_equal_cohorts_rarely_lie_beyond_the_null() -> None:
    """One time in twenty each, give or take: over three of twelve would be a chance of one in five hundred."""
    beyond = {"fdr": 0, "garbe": 0}
    for seed in range(12):
        trials = many(0.0, seed)
        threshold = eer_threshold(*trials.sides())
        found = differentials(trials, threshold, n_replicates=2, n_permutations=60, seed=seed).measures
        beyond["fdr"] += found["fdr"].value < found["fdr"].null_q95  # type: ignore[operator]
        beyond["garbe"] += found["garbe"].value > found["garbe"].null_q95  # type: ignore[operator]
    assert max(beyond.values()) <= 3


def test_rates_are_those_of_the_trials_inside() -> None:
    trials = many(0.5)
    found = run(trials)
    for c, cohort in enumerate(found.cohorts):
        expected = error_rates_at(found.threshold, *trials.sides(trials.inside(c)))
        assert (cohort.fnmr.value, cohort.fmr.value) == pytest.approx(expected)
        assert (cohort.fnmr.trials, cohort.fmr.trials, cohort.n_speakers) == (1200, 435, 30)
        for rate in (cohort.fnmr, cohort.fmr):
            assert rate.interval.low < rate.value < rate.interval.high


def test_a_replicate_is_copies_of_trials() -> None:
    """One draw of speakers, by weights and by hand."""
    trials = many(0.5)
    k = trials.draws(1, np.random.default_rng(5))[0]
    weight = np.where(trials.is_target, k[trials.enroll], k[trials.enroll] * k[trials.test])
    inside = trials.inside(1)
    wrong = np.where(trials.is_target, trials.scores < 1.0, trials.scores >= 1.0)
    from earmark.bench.metrics.speaker_pairs import SpeakerPairs

    pairs = SpeakerPairs.of(trials, 1.0)
    found = pairs.rates(k[None, :], pairs.inside(trials.cohort_index, 1))[0]
    for side, rate in zip((trials.is_target, ~trials.is_target), found, strict=True):
        at = inside & side
        assert rate == pytest.approx((weight * wrong)[at].sum() / weight[at].sum())


def test_cross_cohort_matches_stand_off_the_diagonal() -> None:
    trials = many(1.0)
    errors, counts = false_match_matrix(trials, 1.5)
    assert counts.tolist() == [[435, 900], [900, 435]]
    expected = [int((trials.sides(trials.inside(c))[1] >= 1.5).sum()) for c in (0, 1)]
    assert np.diag(errors).tolist() == expected
    assert errors[0, 1] == (trials.sides()[1] >= 1.5).sum() - sum(expected)


def test_false_matches_between_cohorts_are_drawn_with_both_speakers() -> None:
    trials = many(1.0)
    errors, counts = false_match_matrix(trials, 1.5)
    (found,) = false_matches_between(trials, 1.5, n_replicates=200, seed=0)
    assert (found.one, found.two, found.n_speakers, found.fmr.status) == ("a", "b", 30, "ok")
    assert (found.fmr.errors, found.fmr.trials) == (errors[0, 1], counts[0, 1])
    assert found.fmr.value is not None
    assert found.fmr.interval.low < found.fmr.value < found.fmr.interval.high  # type: ignore[operator]
    crossing = trials.cohort_index[trials.enroll] != trials.cohort_index[trials.test]
    wrong = trials.scores >= 1.5
    drawn = []
    for k in trials.draws(200, np.random.default_rng(0)):
        joint = (k[trials.enroll] * k[trials.test])[crossing]
        drawn.append((joint * wrong[crossing]).sum() / joint.sum())
    assert (found.fmr.interval.low, found.fmr.interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_cohorts_that_never_meet_have_no_matches_between() -> None:
    assert [*false_matches_between(two_cohorts(), 5.0, seed=0)] == []


def test_seed_decides() -> None:
    trials = many(0.5)
    assert run(trials) == run(trials)


def test_one_cohort_has_no_differential() -> None:
    trials = many(0.0)
    alone = CohortTrials.read(
        trials.scores, trials.is_target, [f"s{i:02}" for i in trials.enroll], [f"s{i:02}" for i in trials.test],
        {f"s{i:02}": "all" for i in range(60)},
    )  # fmt: skip
    found = run(alone)
    assert (found.status, found.measures["fdr"].value) == ("insufficient", None)
    assert found.cohorts[0].fnmr.status == "ok"


def test_a_speaker_without_a_cohort_is_refused() -> None:
    with pytest.raises(InputError, match="'b'"):
        CohortTrials.read([1.0, 0.0], [True, False], ["a", "a"], ["a", "b"], {"a": "x"})
