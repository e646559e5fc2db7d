from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from speakers import spelled_out_standard_error, world

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import permuted_rates
from earmark.bench.metrics.simultaneous import MaxT, holm, max_t, permutation_null


def test_max_t_flags_the_cohort_that_differs() -> None:
    rng = np.random.default_rng(0)
    errors, units = world(rng, 120, sigma=0.3)
    errors[:20] = np.round(2.5 * errors[:20])
    labels = [f"c{i // 20}" for i in range(120)]
    found = max_t(errors, units, labels, seed=0, n_replicates=500)
    assert found.flagged[0] == "c0"
    at, rate = slice(0, 20), errors[:20].sum() / units[:20].sum()
    expected = (math.log(rate) - math.log(errors.sum() / units.sum())) / (
        spelled_out_standard_error(errors[at], units[at]) / rate
    )
    assert found.statistics["c0"] == pytest.approx(expected)
    assert found.critical > 1.96  # more than one comparison


def test_max_t_refuses_cohorts_without_spread() -> None:
    with pytest.raises(InputError, match="quiet"):
        max_t([0, 0, 1, 2], [9, 9, 9, 9], ["quiet", "quiet", "loud", "loud"], seed=0)
    with pytest.raises(InputError, match="labels"):
        max_t([1], [2], ["a", "b"], seed=0)


def test_holm_steps_down() -> None:
    # Holm (1979): sorted p times 4, 3, 2, 1, then made monotone and cut at 1.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_uncorrected_flags_take_the_normal_bound() -> None:
    found = MaxT(3.0, {"a": -1.95, "b": 1.97, "c": -3.1}, 0.95)
    assert (found.uncorrected, found.flagged) == (("b", "c"), ("c",))
    assert MaxT(3.0, {"a": 1.7}, 0.90).uncorrected == ("a",)


# --- nulls ----------------------------------------------------------------------------------------------------------


def test_null_of_every_deal() -> None:
    """Five speakers, two of them in b: ten deals, each as likely as any other."""
    errors = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    found = permutation_null(
        ["a", "a", "a", "b", "b"], lambda dealt: (dealt == "b") @ errors, n_permutations=4000, seed=0
    )
    sums = sorted(sum(pair) for pair in itertools.combinations(errors, 2))
    values, counts = np.unique(found.replicates, return_counts=True)
    assert values.tolist() == sums
    assert counts / 4000 == pytest.approx([0.1] * 10, abs=0.02)
    assert (found.value, found.q95) == (24.0, 24.0)
    assert found.p_value == pytest.approx(0.1, abs=0.02)


def test_null_of_a_gap_is_that_of_dealt_rates() -> None:
    rng = np.random.default_rng(0)
    errors, units = world(rng, 30)
    labels = [f"c{i % 3}" for i in range(30)]

    def gap(dealt: np.ndarray) -> np.ndarray:
        rates = [(dealt == name) @ errors / ((dealt == name) @ units) for name in ("c0", "c1", "c2")]
        return np.max(rates, axis=0) - np.min(rates, axis=0)

    found = permutation_null(labels, gap, n_permutations=3000, seed=0)
    other = permuted_rates(errors, units, [10, 10, 10], 3000, np.random.default_rng(1)).rates
    assert found.q95 == pytest.approx(np.quantile(np.ptp(other, axis=1), 0.95), rel=0.05)


def test_null_counts_the_value_itself() -> None:
    found = permutation_null([*["a"] * 20, *["b"] * 20], lambda dealt: (dealt[:, :20] == "a").sum(axis=1), seed=0)
    assert found.value == 20
    assert found.p_value == 1 / 1001


def test_null_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(dealt: np.ndarray) -> np.ndarray:
        return (dealt == "b") @ np.arange(4.0)

    whole = permutation_null(["a", "a", "b", "b"], first, n_permutations=50, seed=3)
    monkeypatch.setattr("earmark.bench.metrics.simultaneous._BLOCK_ENTRIES", 12)
    assert permutation_null(["a", "a", "b", "b"], first, n_permutations=50, seed=3).replicates.tolist() == (
        whole.replicates.tolist()
    )


def test_null_refuses_what_is_no_value_a_row() -> None:
    with pytest.raises(InputError, match="label"):
        permutation_null([], lambda dealt: np.zeros(len(dealt)), seed=0)
    with pytest.raises(InputError, match="shape"):
        permutation_null(["a", "b"], lambda dealt: 1.0, seed=0)
    with pytest.raises(InputError, match="NaN"):
        permutation_null(["a", "b"], lambda dealt: np.full(len(dealt), math.nan), seed=0)
