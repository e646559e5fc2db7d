"""What stands of a tree."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.fairness.region_tree.grow import Floors, Node, grow
from earmark.fairness.region_tree.prune import _largest_t, leaf_rates, one_se, prune, subtrees

SIMPLE = Node(
    60.0, 400.0, 40, "lat", 1.0,
    Node(30.0, 100.0, 10),
    Node(30.0, 300.0, 30, "lon", 2.0, Node(11.0, 100.0, 10), Node(19.0, 200.0, 20)),
)  # fmt: skip
"""Rates 0.3 | 0.11, 0.095: the second cut gains little."""


def test_the_weakest_cut_falls_first() -> None:
    found = subtrees(SIMPLE, "poisson")
    assert [sum(not n.sides for n in tree.walk()) for tree in found] == [3, 2, 1]
    assert found[1].sides[1].sides == ()
    assert found[0] is SIMPLE


def test_leaf_rates_are_drawn_to_the_overall_rate_by_five_speakers() -> None:
    lat, lon = np.array([0.0, 5.0, 5.0]), np.array([0.0, 0.0, 3.0])
    prior, overall = 5 * 400 / 40, 60 / 400  # 50 words
    expected = [(30 + prior * overall) / 150, (11 + prior * overall) / 150, (19 + prior * overall) / 250]
    assert leaf_rates(SIMPLE, lat, lon) == pytest.approx(expected)


def test_one_standard_error_by_hand() -> None:
    """Columns: three leaves, two, best by little. Paired differences 1, -1, 1, 1: sum 2, standard error 2."""
    gains = np.array([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert np.sqrt(4 * np.var(gains[:, 0] - gains[:, 1], ddof=1)) == 2.0
    assert one_se(gains) == 1
    gains[:, 1] -= 0.25  # now 3 short of the best, with the same error
    assert one_se(gains) == 0


@pytest.mark.parametrize("risk", ["poisson", "sse"])
def test_the_test_statistic_is_the_studentized_gain(risk: str) -> None:
    from earmark.fairness.region_tree.prune import _coefficients

    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(0, 4, (2, 50))
    words, errors = rng.integers(50, 90, 50) * 1.0, rng.integers(1, 30, 50) * 1.0
    rates = np.column_stack([leaf_rates(tree, lat, lon) for tree in subtrees(SIMPLE, risk)])

    def loss(w: np.ndarray) -> np.ndarray:
        return 2 * (words * w - errors * np.log(w)) if risk == "poisson" else words * (errors / words - w) ** 2

    gains = np.column_stack([loss(rates[:, 2]) - loss(rates[:, k]) for k in (0, 1)])
    a, b = (c[:, :-1] for c in _coefficients(rates, risk))
    assert errors[:, None] * a + words[:, None] * b == pytest.approx(gains)
    t = gains.sum(axis=0) / np.sqrt(len(gains) * gains.var(axis=0))
    columns = np.concatenate([a, b, a * a, 2 * a * b, b * b])
    assert _largest_t(errors[None], words[None], columns) == pytest.approx([t.max()])


def test_a_difference_that_select_does_not_show_falls() -> None:
    rng = np.random.default_rng(0)
    lat, lon, words = rng.uniform(0, 4, 60), rng.uniform(0, 4, 60), np.full(60, 200.0)
    errors = np.where(lat > 2, 60.0, 20.0)
    tree = grow(lat, lon, errors, words, criterion="poisson", floors=Floors(200.0, 10, 4))
    assert tree.sides
    same = {"risk": "poisson", "alpha": 0.02, "n_deals": 199}
    kept = prune(tree, lat, lon, errors, words, rng=rng, **same)
    fallen = prune(tree, lat, lon, rng.permutation(errors), words, rng=rng, **same)
    turned = prune(tree, lat, lon, 80.0 - errors, words, rng=rng, **same)
    assert [len([*p.tree.walk()]) for p in (kept, fallen, turned)] == [3, 1, 1]
    assert kept.p_value == 1 / 200
    assert turned.p_value == pytest.approx(1.0, abs=0.05)


def test_without_select_speakers_nothing_stands() -> None:
    nobody = np.zeros(0)
    pruned = prune(
        SIMPLE, nobody, nobody, nobody, nobody, risk="sse", alpha=0.02, n_deals=19, rng=np.random.default_rng(0)
    )
    assert (pruned.tree.sides, pruned.n_grown, pruned.p_value) == ((), 3, None)
