from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.api import InputError
from earmark.bench.metrics.eer_cohorts import EER_GAPS, EerCohorts, eer_cohorts
from earmark.bench.metrics.verification import equal_error_rate

SEPARATION = {"north": 2.4, "south": 1.0, "west": 2.4}
COHORTS = sorted(SEPARATION)


def trial_list(
    n_each: int = 15, n_trials: int = 3000
) -> tuple[list[float], list[bool], list[str], list[str], dict[str, str]]:
    """Half of the trials are targets; most non-targets pair two speakers of one cohort; rounded scores make ties."""
    rng = np.random.default_rng(0)
    cohort_of = {f"{c}{i:02d}": c for c in COHORTS for i in range(n_each)}
    names = sorted(cohort_of)
    enroll = [names[i] for i in rng.integers(len(names), size=n_trials)]
    inside = {c: [s for s in names if cohort_of[s] == c] for c in COHORTS}
    test = []
    for k, s in enumerate(enroll):
        pool = [s] if k % 2 else names if k % 10 == 0 else inside[cohort_of[s]]
        test.append(pool[rng.integers(len(pool))])
    target = [a == b for a, b in zip(enroll, test, strict=True)]
    scores = [
        round(rng.normal(SEPARATION[cohort_of[a]] if same else 0.0), 1) for a, same in zip(enroll, target, strict=True)
    ]
    return scores, target, enroll, test, cohort_of


@pytest.fixture(scope="module")
def found() -> EerCohorts:
    return eer_cohorts(*trial_list(), n_replicates=60, n_permutations=40, seed=0)


def test_each_cohort_is_its_own_trial_list(found: EerCohorts) -> None:
    scores, target, enroll, test, cohort_of = trial_list()
    assert found.overall == equal_error_rate(
        [s for s, y in zip(scores, target, strict=True) if y], [s for s, y in zip(scores, target, strict=True) if not y]
    )
    for cohort in found.cohorts:
        sides: tuple[list[float], list[float]] = [], []
        for s, y, a, b in zip(scores, target, enroll, test, strict=True):
            if cohort_of[a] == cohort_of[b] == cohort.name:
                sides[0 if y else 1].append(s)
        assert cohort.eer == equal_error_rate(*sides)
        assert (cohort.n_targets, cohort.n_nontargets, cohort.n_speakers) == (len(sides[0]), len(sides[1]), 15)
        assert cohort.interval.low < cohort.eer < cohort.interval.high  # type: ignore[operator]


def test_the_hard_cohort_is_the_bottom_beyond_its_null(found: EerCohorts) -> None:
    gap = found.gap
    assert (gap.bottom, gap.status, gap.cohorts, gap.n_speakers) == ("south", "ok", ("north", "south", "west"), 45)
    rates = {c.name: c.eer or 0.0 for c in found.cohorts}
    top = rates[gap.top or ""]
    assert gap["eer_gap_abs"].value == pytest.approx(rates["south"] - top)
    assert gap["eer_gap_rel"].value == pytest.approx(rates["south"] / top - 1)
    assert gap["eer_gap_overall"].value == pytest.approx(rates["south"] / found.overall - 1)
    assert gap["eer_cohort_max"].value == rates["south"]
    assert gap["eer_cohort_mean"].value == pytest.approx(sum(rates.values()) / 3)
    assert gap["eer_cohort_std"].value == pytest.approx(np.std(list(rates.values())))  # over K, as papers print it
    assert gap["eer_cohort_std"].value > gap["eer_cohort_std"].null_q95  # type: ignore[operator]
    assert gap["eer_gap_abs"].value > gap["eer_gap_abs"].null_q95  # type: ignore[operator]
    for name in EER_GAPS:
        assert gap[name].interval.low < gap[name].value < gap[name].interval.high  # type: ignore[operator]
    assert tuple(gap.measures) == EER_GAPS


def test_seed_decides() -> None:
    one, two, other = (eer_cohorts(*trial_list(), n_replicates=10, n_permutations=5, seed=s) for s in (1, 1, 2))
    assert one == two
    assert one != other


def test_a_fixed_pair_is_kept() -> None:
    gap = eer_cohorts(*trial_list(), pair=("west", "south"), n_replicates=20, n_permutations=20, seed=0).gap
    assert (gap.bottom, gap.top) == ("west", "south")
    assert gap["eer_gap_abs"].value < 0  # type: ignore[operator]
    assert gap["eer_gap_abs"].interval.high < 0  # type: ignore[operator]


def test_few_speakers_are_insufficient() -> None:
    few = eer_cohorts(*trial_list(n_each=9), n_replicates=10, n_permutations=5, seed=0)
    assert {c.status for c in few.cohorts} == {"insufficient"}
    assert few.gap.status == "insufficient"
    assert few.gap["eer_gap_abs"].value is not None


def test_errors_are_counted_on_the_smaller_side() -> None:
    scores, target, enroll, test, cohort_of = trial_list()
    kept = [i for i, same in enumerate(target) if not same or i % 20 == 1]  # few targets, as many non-targets
    thinned = [[column[i] for i in kept] for column in (scores, target, enroll, test)]
    few = eer_cohorts(*thinned, cohort_of, n_replicates=10, n_permutations=5, seed=0)  # type: ignore[arg-type, call-arg]
    south = few.cohorts[1]
    assert (south.eer or 0) * south.n_nontargets > 30
    assert (south.n_speakers, south.status) == (15, "insufficient")


def test_a_cohort_without_nontargets_has_no_rate() -> None:
    scores, target = [2.0, 1.0, 0.0, 1.5, 3.0], [True, True, False, False, True]
    enroll, test = ["a", "b", "a", "b", "c"], ["a", "b", "b", "a", "c"]
    found = eer_cohorts(scores, target, enroll, test, {"a": "x", "b": "x", "c": "y"}, n_replicates=10, seed=0)
    x, y = found.cohorts
    assert x.eer is not None
    assert (y.eer, y.interval.method) == (None, "undefined")
    assert found.gap.bottom is None


def test_a_speaker_without_a_cohort_is_refused() -> None:
    scores, target, enroll, test, cohort_of = trial_list()
    with pytest.raises(InputError, match="south00"):
        eer_cohorts(scores, target, enroll, test, {s: c for s, c in cohort_of.items() if s != "south00"}, seed=0)
