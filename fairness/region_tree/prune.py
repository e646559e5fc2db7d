"""How much of a tree stands: weakest-link pruning on discover, one-standard-error rule and a test on select.

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


@dataclass(frozen=True, slots=True)
class Pruned:
    """The tree that stands, the leaves of the one that was grown and of the one-standard-error choice, and p."""

    tree: Node
    n_grown: int
    n_one_se: int
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
    """The rate (S,) of the leaf that each point lies in, drawn to the overall rate by the weight of one error.

    (E + 1) / (N + 1 / W_all): a leaf without errors would else make one error on select infinitely bad.
    """
    overall = max(tree.errors, 1.0) / max(tree.words, 1.0)
    rates = np.empty(len(lat))

    def fill(node: Node, inside: Bools) -> None:
        rates[inside] = (node.errors + 1.0) / (node.words + 1.0 / overall)
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

    First the one-standard-error rule: of all subtrees the smallest whose risk is within one standard error, by
    speaker and paired, of the lowest. Then a test: of random deals of outcomes to places at most ``alpha`` may show a
    subtree that beats the root as clearly (studentized, largest over all subtrees); otherwise the root alone stands.
    """
    found = subtrees(tree, risk)
    n_grown = _n_leaves(tree)
    if len(found) == 1 or len(lat) < 2:
        return Pruned(found[-1], n_grown, 1, None)
    rates = np.column_stack([leaf_rates(subtree, lat, lon) for subtree in found])
    a, b = _coefficients(rates, risk)
    chosen = one_se(errors[:, None] * a + words[:, None] * b)
    n_one_se = _n_leaves(found[chosen])
    if chosen == len(found) - 1:
        return Pruned(found[-1], n_grown, 1, None)
    columns = np.concatenate([a, b, a * a, 2 * a * b, b * b])[:, :-1]  # the root beats itself by nothing
    observed = _largest_t(np.concatenate([errors, words, errors**2, errors * words, words**2])[None], columns)
    by_chance = np.concatenate([
        _largest_t(np.concatenate([e := errors[order], n := words[order], e * e, e * n, n * n], axis=1), columns)
        for order in deals(len(lat), n_deals, rng)
    ])  # fmt: skip
    p = p_value(float(observed[0]), by_chance)
    return Pruned(found[chosen] if p <= alpha else found[-1], n_grown, n_one_se, p)


def one_se(gains: Floats) -> int:
    """The last column of gains over the root (S, K) that falls short of the best by at most one standard error.

    Columns go from the largest tree to the root; the standard error is that of the sum of paired differences.
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


def _largest_t(counts: Floats, columns: Floats) -> Floats:
    """Largest studentized gain (R,) over subtrees; counts (R, 5 S) are e, n, e^2, e n, n^2 of every speaker."""
    n = counts.shape[1] // 5
    total = counts[:, : 2 * n] @ columns[: 2 * n]
    squares = counts[:, 2 * n :] @ columns[2 * n :]
    spread = np.sqrt(np.maximum(squares - total**2 / n, 1e-12))
    return np.asarray((total / spread).max(axis=1))


def _n_leaves(tree: Node) -> int:
    return sum(not node.sides for node in tree.walk())
