"""Partitions against brute force, and their test."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.fairness.geodemographic.partition import (
    BOTTOM,
    OTHERS,
    UNKNOWN,
    Attribute,
    Floors,
    Rule,
    confirm,
    partition,
    sides_of,
)

NONE = Floors(1.0, 1)


def drawn(seed: int, n_values: int = 6, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    words = rng.integers(20, 60, n).astype(np.float64)
    return rng.integers(0, n_values, n).astype(np.float64), rng.integers(1, 15, n).astype(np.float64), words


def deviance_drop(inside: np.ndarray, e: np.ndarray, n: np.ndarray) -> float:
    def term(at: np.ndarray) -> float:
        return float(e[at].sum() * np.log(e[at].sum() / n[at].sum()))

    return 2 * (term(inside) + term(~inside) - term(np.ones(len(e), dtype=bool)))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_the_best_of_all_subsets_of_categories(seed: int) -> None:
    """Brute force over the 2^5 - 1 divisions of six categories."""
    values, e, n = drawn(seed)
    names = tuple("abcdef")
    found = partition(Attribute("land", values, names), e, n, criterion="poisson", floors=NONE)
    present = np.unique(values)
    best = max(
        deviance_drop(np.isin(values, subset), e, n)
        for size in range(1, len(present))
        for subset in combinations(present, size)
    )
    assert found is not None
    assert found[0] == pytest.approx(best)
    inside = sides_of(found[1], Attribute("land", values, names)) == BOTTOM
    assert deviance_drop(inside, e, n) == pytest.approx(best)
    assert e[inside].sum() / n[inside].sum() > e[~inside].sum() / n[~inside].sum()


@pytest.mark.parametrize("criterion", ["abs_diff", "sse", "poisson"])
def test_a_threshold_between_two_values_with_the_bottom_on_either_side(criterion: str) -> None:
    income = np.repeat([10.0, 20.0, 30.0, 40.0], 5)
    errors, words = np.repeat([9.0, 9.0, 2.0, 2.0], 5), np.full(20, 100.0)
    for e, low in ((errors, True), (errors[::-1], False)):
        found = partition(Attribute("income", income), e, words, criterion=criterion, floors=NONE)
        assert found is not None
        assert found[1] == Rule("income", 25.0, bottom_is_low=low)
        sides = sides_of(found[1], Attribute("income", np.array([5.0, 25.0, np.nan])))
        assert sides.tolist() == ([BOTTOM, OTHERS, UNKNOWN] if low else [OTHERS, BOTTOM, UNKNOWN])


def test_floors_in_words_and_in_speakers() -> None:
    income, words = np.arange(10.0), np.full(10, 100.0)
    errors = np.where(income < 1, 50.0, 5.0)
    for floors, at in ((NONE, 0.5), (Floors(300.0, 1), 2.5), (Floors(1.0, 4), 3.5)):
        found = partition(Attribute("income", income), errors, words, criterion="poisson", floors=floors)
        assert found is not None
        assert found[1].at == at
    for nothing in (Floors(501.0, 1), Floors(1.0, 6)):
        assert partition(Attribute("x", income), errors, words, criterion="sse", floors=nothing) is None


def test_nothing_to_divide() -> None:
    one = np.ones(4)
    assert partition(Attribute("x", one), one, 9 * one, criterion="poisson", floors=NONE) is None
    assert partition(Attribute("x", one * np.nan), one, 9 * one, criterion="poisson", floors=NONE) is None
    assert partition(Attribute("x", np.arange(4.0)), one, 9 * one, criterion="sse", floors=NONE) is None


def test_a_rule_reads_texts() -> None:
    number, category = Rule("income", 3.0), Rule("land", bottom=("hill",), others=("town",))
    assert number.sides(["1", "3", "x", "", "nan"]).tolist() == [BOTTOM, OTHERS, UNKNOWN, UNKNOWN, UNKNOWN]
    assert category.sides(["hill", "town", "sea", ""]).tolist() == [BOTTOM, OTHERS, UNKNOWN, UNKNOWN]


def test_what_select_bears_out() -> None:
    areas = np.repeat(np.arange(20), 4)
    sides = np.where(areas < 8, BOTTOM, OTHERS)
    rng = np.random.default_rng(0)
    words, noise = np.full(80, 100.0), rng.uniform(0, 4, 80)
    clear = confirm(sides, areas, np.where(sides == BOTTOM, 20.0, 8.0) + noise, words, n_deals=199, rng=rng)
    turned = confirm(sides, areas, np.where(sides == BOTTOM, 8.0, 20.0) + noise, words, n_deals=199, rng=rng)
    assert (clear.p_value, turned.p_value) == (1 / 200, 1.0)
    assert (clear.dealt, clear.n_areas) == ("areas", 20)
    assert clear.bottom_rate is not None
    assert clear.bottom_rate > 0.2


def test_one_bad_area_is_no_evidence_for_an_attribute() -> None:
    """Half of the bottom's speakers live in one area that is bad for its own reasons: dealing areas sees through it."""
    areas = np.concatenate([np.zeros(12, dtype=int), np.repeat(np.arange(1, 25), 2)])
    sides = np.where(areas < 6, BOTTOM, OTHERS)
    errors, words = np.where(areas == 0, 30.0, 10.0) + np.arange(60) % 3, np.full(60, 100.0)
    rng = np.random.default_rng(0)
    by_areas = confirm(sides, areas, errors, words, n_deals=399, rng=rng)
    few = confirm(sides, np.zeros(60, dtype=int), errors, words, n_deals=399, rng=rng)
    assert (by_areas.dealt, few.dealt) == ("areas", "speakers")
    assert by_areas.p_value is not None
    assert by_areas.p_value > 0.05
    assert few.p_value == 1 / 400


def test_an_empty_side_has_no_p_value() -> None:
    one = np.ones(4)
    found = confirm(np.zeros(4, dtype=int), np.arange(4), one, 9 * one, n_deals=19, rng=np.random.default_rng(0))
    assert (found.bottom_rate, found.others_rate, found.p_value) == (1 / 9, None, None)
