"""How much of a tree stands: weakest-link pruning on discover, a test and the one-standard-error rule on select.

A subtree's risk on select is the loss of its leaves' rates, as estimated on discover, over the select speakers. The
loss of a speaker is linear in their counts, e a + n b, with coefficients of the leaf they live in; so a thousand
random deals of speakers to places are a matrix product. S is the number of select speakers, K that of subtrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from earmark.bench.metrics.resampling import Floats
from earmark.fairness.region_tree.grow import Node
from earmark.models._blocks.dividing import Bools, deals, gain, p_value

PRIOR_SPEAKERS = 5.0
"""A leaf's rate is drawn to the overall one by the weight of as many average speakers."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The tree that stands, how many leaves the grown one had, and the p value of any cut at all."""

    tree: Node
    n_grown: int
    p_value: float | None


def subtrees(tree: Node, risk: str) -> list[Node]:
    """The tree and its weakest-link prunings, the largest first and the root alone last.

    Breiman, Friedman, Olshen and Stone (1984), chapter 3: always the cuts next to fall that gain least by leaf.
    """
    found = [tree]
    while found[-1].sides:
        gains: dict[int, float] = {}
        _gain_by_leaf(found[-1], risk, gains)
        least = min(gains.values())
        found.append(_without(found[-1], {node for node, value in gains.items() if value <= least}))
    return found


def _gain_by_leaf(node: Node, risk: str, into: dict[int, float]) -> tuple[float, int]:
    """Gain and number of leaves of the subtree at ``node``; notes gain by added leaf of every cut, by identity."""
    if not node.sides:
        return 0.0, 1
    low, high = (_gain_by_leaf(side, risk, into) for side in node.sides)
    side = node.sides[0]
    own = gain(risk, np.asarray(side.errors), np.asarray(side.words), node.errors, node.words)
    total, n_leaves = float(own) + low[0] + high[0], low[1] + high[1]
    into[id(node)] = total / (n_leaves - 1)
    return total, n_leaves


def _without(node: Node, falling: set[int]) -> Node:
    if not node.sides or id(node) in falling:
        return Node(node.errors, node.words, node.speakers)
    low, high = (_without(side, falling) for side in node.sides)
    return replace(node, low=low, high=high)


def leaf_rates(tree: Node, lat: Floats, lon: Floats) -> Floats:
    """The rate (S,) of the leaf that each point lies in, (E + k W_all) / (N + k), k words of ``PRIOR_SPEAKERS``.

    A leaf that was chosen for its extreme rate is less extreme elsewhere; and without the prior a leaf without errors
    would make one error on select infinitely bad.
    """
    prior = PRIOR_SPEAKERS * tree.words / tree.speakers
    prior_errors, rates = prior * tree.errors / tree.words, np.empty(len(lat))

    def fill(node: Node, inside: Bools) -> None:
        rates[inside] = (node.errors + prior_errors) / (node.words + prior)
        if node.sides:
            low = (lat if node.axis == "lat" else lon) < node.at
            fill(node.sides[0], inside & low)
            fill(node.sides[1], inside & ~low)

    fill(tree, np.ones(len(lat), dtype=bool))
    return rates


def prune(
    tree: Node, lat: Floats, lon: Floats, errors: Floats, words: Floats, *,
    risk: str, alpha: float, n_deals: int, rng: np.random.Generator,
) -> Pruned:  # fmt: skip
    """The subtree that select speakers bear out; coordinates and counts (S,) are theirs.

    First a test of the root against all subtrees with a cut: their gains over the root, studentized, the largest of
    them against the largest in random deals of the select outcomes to the select places. Unless its p value is at most
    ``alpha`` the root alone stands. Then the one-standard-error rule says which subtree with a cut it is to be.
    """
    found = subtrees(tree, risk)
    n_grown = sum(not node.sides for node in tree.walk())
    if n_grown == 1 or len(lat) < 2:
        return Pruned(found[-1], n_grown, None)
    a, b = _coefficients(np.column_stack([leaf_rates(subtree, lat, lon) for subtree in found]), risk)
    a, b = a[:, :-1], b[:, :-1]  # the root gains nothing on itself
    columns = np.concatenate([a, b, a * a, 2 * a * b, b * b])
    observed = _largest_t(errors[None], words[None], columns)
    by_chance = [_largest_t(errors[order], words[order], columns) for order in deals(len(lat), n_deals, rng)]
    p = p_value(float(observed[0]), np.concatenate(by_chance))
    chosen = one_se(errors[:, None] * a + words[:, None] * b) if p <= alpha else -1
    return Pruned(found[chosen], n_grown, p)


def one_se(gains: Floats) -> int:
    """The last column of gains over the root (S, K) that falls short of the best by at most one standard error.

    Columns go from the largest tree to the smallest; the standard error is that of the sum of paired differences.
    """
    totals = gains.sum(axis=0)
    best = int(np.flatnonzero(totals == totals.max())[-1])
    short = gains[:, [best]] - gains
    error = np.sqrt(len(gains) * np.var(short, axis=0, ddof=1))
    return int(np.flatnonzero(short.sum(axis=0) <= error)[-1])


def _coefficients(rates: Floats, risk: str) -> tuple[Floats, Floats]:
    """a, b (S, K) such that e a + n b is what each subtree gains on a speaker over the last one, the root."""
    root = rates[:, -1:]
    if risk == "poisson":
        return 2.0 * np.log(rates / root), -2.0 * (rates - root)
    return 2.0 * (rates - root), -(rates**2 - root**2)


def _largest_t(errors: Floats, words: Floats, columns: Floats) -> Floats:
    """Largest studentized gain (R,) over subtrees of counts (R, S); columns are those of e, n, e^2, e n and n^2."""
    counts = np.concatenate([errors, words, errors**2, errors * words, words**2], axis=1)
    n = errors.shape[1]
    total, squares = counts[:, : 2 * n] @ columns[: 2 * n], counts[:, 2 * n :] @ columns[2 * n :]
    spread = np.sqrt(np.maximum(squares - total**2 / n, 1e-12))
    return np.asarray((total / spread).max(axis=1))
