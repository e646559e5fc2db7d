from __future__ import annotations

import math

import numpy as np
import pytest
from speakers import heard, rates, spelled_out_standard_error

from earmark.bench.api import InputError
from earmark.bench.metrics.ledger import PairedCohorts, paired_cohorts
from earmark.bench.metrics.paired import paired_difference

N = 20  # speakers a cohort


def ledger(*gains: float, n_seeds: int = 1) -> tuple[PairedCohorts, np.ndarray, np.ndarray, np.ndarray]:
    """Cohorts a (rate 10 %) and b (rate 20 %) whose rates a repair multiplies by the gains given."""
    rng = np.random.default_rng(0)
    true = np.concatenate([rates(rng, N, 0.2), np.minimum(2 * rates(rng, N, 0.2), 0.9)])
    repaired = true * np.repeat(gains, N)
    before, after = (np.array([heard(rng, t)[0] for _ in range(n_seeds)]) for t in (true, repaired))
    units = np.full(2 * N, 320.0)
    found = paired_cohorts(before, after, units, ["a"] * N + ["b"] * N, pair=("b", "a"), n_replicates=400, seed=0)
    return found, before, after, units


def test_cohorts_and_everybody_are_paired_differences() -> None:
    found, before, after, units = ledger(1.0, 0.8)
    assert list(found.cohorts) == ["a", "b"]
    b = slice(N, None)
    assert found.overall == paired_difference(before, after, units, n_replicates=400, seed=0)
    assert found.cohorts["b"] == paired_difference(before[:, b], after[:, b], units[b], n_replicates=400, seed=0)


def test_gaps_by_hand() -> None:
    found, before, after, units = ledger(1.0, 0.8)
    a, b, words = slice(0, N), slice(N, None), 320.0 * N
    rate = {(s, c): errors[0, at].sum() / words for s, errors in (("0", before), ("1", after))
            for c, at in (("a", a), ("b", b))}  # fmt: skip
    assert found.gap_abs.before == pytest.approx(rate["0", "b"] - rate["0", "a"])
    assert found.gap_abs.after == pytest.approx(rate["1", "b"] - rate["1", "a"])
    assert found.gap_abs.value == pytest.approx(found.cohorts["b"].value - found.cohorts["a"].value)
    change = (after - before)[0]
    parts = [spelled_out_standard_error(change[at], units[at]) for at in (a, b)]
    assert found.gap_abs.standard_error == pytest.approx(math.hypot(*parts))
    assert found.gap_abs.interval.method == "bootstrap-t"
    assert found.gap_rel is not None
    assert found.gap_rel.before == pytest.approx(rate["0", "b"] / rate["0", "a"] - 1)
    assert found.gap_rel.after == pytest.approx(rate["1", "b"] / rate["1", "a"] - 1)
    for gap in (found.gap_abs, found.gap_rel):
        assert gap.interval.high is not None
        assert gap.interval.high < 0
        assert gap.p_value is not None
        assert gap.p_value < 0.02


def test_a_gap_that_shrinks_because_the_top_got_worse_is_leveled_down() -> None:
    fair, down, both = ledger(1.0, 0.7)[0], ledger(1.6, 1.0)[0], ledger(0.7, 0.7)[0]
    assert fair.top_share == pytest.approx(0.0, abs=0.15)
    assert down.top_share == pytest.approx(1.0, abs=0.15)
    assert (both.top_share or 0) < -0.5
    assert (fair.leveled_down, down.leveled_down, both.leveled_down) == (False, True, False)
    wider = ledger(1.0, 1.3)[0]
    assert (wider.top_share, wider.leveled_down) == (None, False)


def test_a_common_draw_of_seeds_cancels_in_the_gap() -> None:
    """Seeds that help or harm both cohorts by as much change the gap by nothing."""
    luck = np.array([-20.0, 0.0, 20.0])[:, None]
    before = np.full((3, 2 * N), 60.0) + np.tile([-2.0, 2.0], N)
    found = paired_cohorts(before, before + luck, np.full(2 * N, 320.0), ["a"] * N + ["b"] * N, pair=("b", "a"), seed=0)
    assert found.cohorts["a"].standard_error == pytest.approx(0.04, rel=0.5)
    assert found.gap_abs.value == pytest.approx(0.0, abs=1e-12)
    assert found.gap_abs.standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.gap_abs.p_value is None


def test_a_flawless_top_has_no_relative_gap() -> None:
    found = paired_cohorts([0, 0, 3, 5], [0, 0, 1, 2], [9, 9, 9, 9], ["a", "a", "b", "b"], pair=("b", "a"), seed=0)
    assert found.gap_rel is None
    assert found.gap_abs.value == pytest.approx(-5 / 18)


def test_a_pair_must_have_speakers() -> None:
    with pytest.raises(InputError, match="'west'"):
        paired_cohorts([1, 2], [1, 2], [9, 9], ["a", "b"], pair=("west", "a"), seed=0)
