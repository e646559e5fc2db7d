from __future__ import annotations

import math

import numpy as np
import pytest

from earmark.bench.api import InputError
from earmark.bench.metrics.cohorts import WER_GAPS, CohortRate, cohort_gap, cohort_rates
from earmark.bench.metrics.gaps import choose, measured, pair_measures, spread_measures, status_of
from earmark.bench.metrics.resampling import replicate_rates
from earmark.bench.metrics.statistics import SpeakerSums, per_speaker, rate_standard_error

SPEAKERS = ["a1", "a1", "a2", "a3", "a3", "b1", "b1", "b2", "b3"]
ERRORS = [1, 0, 2, 1, 1, 10, 8, 2, 1]
WORDS = [10, 10, 20, 5, 15, 20, 20, 20, 20]


def reference() -> tuple[SpeakerSums, list[str]]:
    sums = per_speaker(SPEAKERS, ERRORS, WORDS)
    return sums, [name[0] for name in sums.speakers]


def world(rates: list[float], n_each: int, seed: int = 0) -> tuple[SpeakerSums, list[str]]:
    """Cohorts c0, c1, ... of ``n_each`` speakers with 320 words each."""
    rng = np.random.default_rng(seed)
    true = np.repeat(rates, n_each) * np.exp(rng.normal(-0.045, 0.3, n_each * len(rates)))
    names = [f"c{i // n_each}-{i:04d}" for i in range(len(true))]
    return per_speaker(names, rng.binomial(320, true), np.full(len(true), 320)), [n.split("-")[0] for n in names]


def test_reference_rates() -> None:
    a, b = cohort_rates(*reference(), n_replicates=50, seed=0)
    assert (a.name, a.errors, a.units, a.n_speakers, a.n_utterances) == ("a", 5, 60, 3, 5)
    assert (a.rate, b.rate) == pytest.approx((0.083333, 0.2625), abs=5e-7)
    assert (a.speaker_mean, b.speaker_mean) == pytest.approx((0.083333, 0.2), abs=5e-7)
    assert (a.standard_error, b.standard_error) == pytest.approx((0.016667, 0.141041), abs=5e-7)
    # The mean of utterances' rates is a third number, and not one that is used.
    utterances = np.array(ERRORS) / np.array(WORDS)
    assert (utterances[:5].mean(), utterances[5:].mean()) == pytest.approx((0.093333, 0.2625), abs=5e-6)


def test_reference_gaps() -> None:
    gap = cohort_gap(*reference(), n_replicates=50, n_permutations=50, seed=0)
    assert (gap.bottom, gap.top, gap.status) == ("b", "a", "insufficient")
    expected = {"gap_abs": 0.179167, "gap_rel": 2.15, "gap_rel_bottom": 0.682540, "gap_ratio": 3.15}
    overall = 26 / 140
    expected |= {"gap_overall": (0.2625 - overall) / overall, "wer_cohort_max": 0.2625, "wer_cohort_mean": 0.172917}
    expected |= {"sd_cohort": 0.179167 / math.sqrt(2), "wer_cohort_var": 0.179167**2 / 2}
    for name, value in expected.items():
        assert gap[name].value == pytest.approx(value, rel=5e-6), name
    assert tuple(gap.measures) == WER_GAPS


def test_reference_spread() -> None:
    found = spread_measures(np.array([[0.10, 0.12, 0.20]]), np.array([[0.02, 0.03, 0.05]]))
    assert found["sd"][0] == pytest.approx(0.052915, abs=5e-7)
    assert found["var"][0] == pytest.approx(0.0028)
    assert found["var_debiased"][0] == pytest.approx(0.00153333, abs=5e-9)
    assert math.sqrt(found["var_debiased"][0]) == pytest.approx(0.039158, abs=5e-7)
    assert spread_measures(np.array([[0.1, 0.1]]), np.array([[0.02, 0.02]]))["var_debiased"][0] == 0


@pytest.mark.parametrize(
    ("n_speakers", "n_errors", "status"), [(10, 30, "ok"), (9, 300, "insufficient"), (100, 29, "insufficient")]
)
def test_minimum_size(n_speakers: int, n_errors: int, status: str) -> None:
    assert status_of(n_speakers, n_errors) == status


def test_zero_errors_have_no_ratio_and_an_upper_bound() -> None:
    sums = per_speaker([f"{c}{i}" for c in "ab" for i in range(12)], [0] * 12 + [4] * 12, [50] * 24)
    labels = [s[0] for s in sums.speakers]
    a, _ = cohort_rates(sums, labels, n_replicates=50, seed=0)
    assert (a.rate, a.interval.low, a.interval.method, a.status) == (0.0, 0.0, "rule-of-three", "insufficient")
    assert a.interval.high is not None
    assert a.interval.high >= 3 / 600 * 0.99
    gap = cohort_gap(sums, labels, pair=("b", "a"), n_replicates=50, n_permutations=50, seed=0)
    assert gap["gap_abs"].value == pytest.approx(0.08)
    assert (gap["gap_ratio"].value, gap["gap_rel"].value, gap["gap_rel"].detectable) == (None, None, None)
    assert gap["gap_rel_bottom"].value == 1


def test_insufficient_cohorts_stay_in_the_table_but_not_in_the_pair() -> None:
    sums, labels = world([0.05, 0.1, 0.3], 12)
    labels = [*labels[:24], *["c2"] * 4, *["c1"] * 8]
    rates = cohort_rates(sums, labels, n_replicates=50, seed=0)
    assert [(c.name, c.status) for c in rates] == [("c0", "ok"), ("c1", "ok"), ("c2", "insufficient")]
    gap = cohort_gap(sums, labels, n_replicates=50, n_permutations=50, seed=0)
    assert (gap.cohorts, gap.bottom, gap.top, gap.status) == (("c0", "c1"), "c1", "c0", "ok")
    assert gap.n_speakers == 32
    forced = cohort_gap(sums, labels, pair=("c2", "c0"), n_replicates=50, n_permutations=50, seed=0)
    assert (forced.bottom, forced.status) == ("c2", "insufficient")


def test_one_cohort_has_no_gap_and_says_so() -> None:
    sums, _ = world([0.1], 12)
    gap = cohort_gap(sums, ["all"] * 12, seed=0)
    assert (gap.bottom, gap.top, gap.status) == (None, None, "insufficient")
    assert all(m.value is None and m.interval.method == "undefined" for m in gap.measures.values())


def test_a_pair_ranked_elsewhere_is_kept_even_when_it_turned_around() -> None:
    sums, labels = world([0.1, 0.2], 15)
    gap = cohort_gap(sums, labels, pair=("c0", "c1"), n_replicates=200, n_permutations=100, seed=0)
    assert gap["gap_abs"].value is not None
    assert gap["gap_abs"].value < 0
    with pytest.raises(InputError, match="'west'"):
        cohort_gap(sums, labels, pair=("west", "c1"), seed=0)


def test_real_gap_is_beyond_its_null_and_inside_its_interval() -> None:
    sums, labels = world([0.10, 0.10, 0.16], 30)
    gap = cohort_gap(sums, labels, n_replicates=400, n_permutations=300, seed=0)
    for name, true in {"gap_abs": 0.06, "gap_rel": 0.6, "gap_ratio": 1.6, "gap_rel_bottom": 0.375}.items():
        found = gap[name]
        assert found.interval.method == "bootstrap-t"
        assert found.interval.low < true < found.interval.high  # type: ignore[operator]
        assert found.value > found.null_q95  # type: ignore[operator]
        assert found.detectable > found.null_q95  # type: ignore[operator]
    assert gap["wer_cohort_mean"].null_q95 is None


def test_ratio_interval_is_bootstrap_t_on_the_logarithm() -> None:
    sums, labels = world([0.1, 0.15], 20)
    found = cohort_gap(sums, labels, n_replicates=300, n_permutations=5, seed=7)["gap_ratio"].interval
    rng = np.random.default_rng(7)
    top, bottom = (replicate_rates(sums.errors[at], sums.units[at], 300, rng) for at in (slice(0, 20), slice(20, 40)))
    relative = [
        (rate_standard_error(sums.errors[at], sums.units[at]) or 0) / (sums.errors[at].sum() / sums.units[at].sum())
        for at in (slice(0, 20), slice(20, 40))
    ]
    log_ratio = math.log(sums.errors[20:].sum() / sums.errors[:20].sum())  # equal words on both sides
    spread = np.hypot(top.standard_errors / top.rates, bottom.standard_errors / bottom.rates)
    t = (np.log(bottom.rates / top.rates) - log_ratio) / spread
    ends = [math.exp(log_ratio - np.quantile(t, q) * math.hypot(*relative)) for q in (0.975, 0.025)]
    assert [found.low, found.high] == pytest.approx(ends)


def test_intervals_of_the_ratio_family_say_the_same() -> None:
    gap = cohort_gap(*world([0.1, 0.15], 20), n_replicates=200, n_permutations=20, seed=0)
    ratio, rel, bottom = (gap[name].interval for name in ("gap_ratio", "gap_rel", "gap_rel_bottom"))
    for end in ("low", "high"):
        r = getattr(ratio, end)
        assert getattr(rel, end) == pytest.approx(r - 1)
        assert getattr(bottom, end) == pytest.approx((r - 1) / r)


def test_null_of_a_selected_gap_is_wider_than_that_of_a_fixed_pair() -> None:
    sums, labels = world([0.1] * 8, 12)
    selected = cohort_gap(sums, labels, n_replicates=20, n_permutations=300, seed=0)
    fixed = cohort_gap(sums, labels, pair=("c0", "c1"), n_replicates=20, n_permutations=300, seed=0)
    assert selected["gap_abs"].null_q95 > 1.5 * fixed["gap_abs"].null_q95  # type: ignore[operator]


def test_seed_decides() -> None:
    one, two, other = (cohort_gap(*reference(), n_replicates=30, n_permutations=30, seed=s) for s in (1, 1, 2))
    assert one == two
    assert one != other


def test_detectable_is_null_plus_power() -> None:
    replicates, null = np.random.default_rng(0).normal(0.2, 0.05, 20_000), np.linspace(0, 0.1, 101)
    found = measured(0.2, replicates, null, 0.95)
    assert found.null_q95 == pytest.approx(0.095)
    assert found.detectable == pytest.approx(0.095 + 0.8416 * 0.05, abs=0.001)


def test_pair_measures_agree_with_each_other() -> None:
    found = pair_measures(np.array([0.3]), np.array([0.2]), np.array([0.25]))
    assert {k: round(float(v[0]), 12) for k, v in found.items()} == {
        "gap_abs": 0.1,
        "gap_rel": 0.5,
        "gap_rel_bottom": round(1 / 3, 12),
        "gap_ratio": 1.5,
        "gap_overall": 0.2,
    }


def test_equal_rates_are_ranked_by_name() -> None:
    found = choose({"b": 0.1, "a": 0.1, "c": 0.1}, dict.fromkeys("abc", "ok"), None)
    assert found is not None
    assert (found.cohorts, found.bottom, found.top) == (("a", "b", "c"), 0, 0)


@pytest.mark.slow
def test_null_holds_its_level_and_detectable_its_power() -> None:
    above = {0.0: 0, 0.045: 0}
    for extra in above:
        for seed in range(200):
            sums, labels = world([0.1 + extra, 0.1], 14, seed)
            found = cohort_gap(sums, labels, pair=("c0", "c1"), n_replicates=100, n_permutations=200, seed=seed)[
                "gap_abs"
            ]
            above[extra] += found.value > found.null_q95  # type: ignore[operator]
            detectable = found.detectable
    assert above[0.0] <= 22  # 10 expected
    assert detectable is not None
    assert above[0.045] > 140


def test_rate_without_units_is_undefined() -> None:
    sums = per_speaker(["a", "b"], [1, 1], [0, 10])
    a, _ = cohort_rates(sums, ["x", "y"], n_replicates=10, seed=0)
    assert isinstance(a, CohortRate)
    assert a.rate is None
