"""Weights of recordings and of pairs: what holds for any adversary, trained or not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from earmark.fairness.adversarial_reweighting.adversary import (
    Adversary,
    accumulated_similarities,
    normalized_weights,
    weights_of_each,
    weights_of_pairs,
    with_regions,
)
from earmark.fairness.adversarial_reweighting.regions import Regions

N, DIM, K = 12, 5, 3


def embeddings(seed: int = 0) -> Tensor:
    return torch.randn(N, DIM, generator=torch.Generator().manual_seed(seed))


def adversary(width: int, seed: int = 0) -> Adversary:
    torch.manual_seed(seed)
    return Adversary(width, 8)


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=20), st.sampled_from([0.0, 1.0]))
@settings(max_examples=50, deadline=None)
def test_weights_are_never_below_the_floor_and_their_mean_is_one_more(f: list[float], floor: float) -> None:
    weights = normalized_weights(torch.tensor(f), floor)
    assert float(weights.min()) >= floor
    assert float(weights.mean()) == pytest.approx(floor + 1.0, rel=1e-5)


def test_equal_outputs_give_equal_weights() -> None:
    assert torch.equal(normalized_weights(torch.full((4,), 0.3), 1.0), torch.full((4,), 2.0))


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_matrix_of_pairs_is_a_sum_of_two_weights(seed: int) -> None:
    w = torch.rand(N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 1.0
    pairs = weights_of_pairs(w)
    i, j, k, l = torch.randint(N, (4,), generator=torch.Generator().manual_seed(seed)).tolist()  # noqa: E741
    assert pairs.shape == (N, N)
    assert float(pairs[i, j] + pairs[k, l]) == pytest.approx(float(pairs[i, l] + pairs[k, j]))
    assert int(torch.linalg.matrix_rank(pairs)) <= 2
    assert torch.equal(pairs, pairs.T)
    assert torch.equal(pairs.diagonal(), 2 * w)


def test_where_the_first_of_a_pair_decides_the_matrix_has_rank_one() -> None:
    each = weights_of_each(torch.arange(1.0, 5.0))
    assert torch.equal(each, torch.tensor([[1.0] * 4, [2.0] * 4, [3.0] * 4, [4.0] * 4]))


@pytest.mark.parametrize("form", ["similarities", "regions"])
def test_another_order_of_the_batch_gives_the_weights_in_that_order(form: str) -> None:
    x, speakers, order = embeddings(), torch.arange(N) // 2, torch.randperm(N)
    regions = torch.arange(N) % K

    def weights(at: Tensor) -> Tensor:
        if form == "regions":
            seen = with_regions(x[at], regions[at], K)
        else:
            seen = accumulated_similarities(x[at], speakers[at])
        return normalized_weights(adversary(seen.shape[1])(seen), 1.0)

    torch.testing.assert_close(weights(order), weights(torch.arange(N))[order])


def test_other_numbers_for_the_regions_give_other_weights() -> None:
    x, regions = embeddings(), torch.arange(N) % K
    judge = adversary(DIM + K)
    before, after = (normalized_weights(judge(with_regions(x, r, K)), 1.0) for r in (regions, (regions + 1) % K))
    assert not torch.allclose(before, after, atol=1e-3)


def test_similarities_are_accumulated_over_the_batch() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [-1.0, 0.0]])
    seen = accumulated_similarities(x, torch.tensor([0, 0, 1, 2]))
    torch.testing.assert_close(
        seen, torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -2 / 3, 0.0]])
    )


def test_a_sharper_adversary_is_linear_before_its_sigmoid() -> None:
    judge, x, y = adversary(DIM), embeddings(1), embeddings(2)

    def linear(seen: Tensor) -> Tensor:
        return torch.logit(judge(seen), eps=1e-7)

    torch.testing.assert_close(linear((x + y) / 2), (linear(x) + linear(y)) / 2, atol=1e-4, rtol=1e-4)


def test_regions_are_found_and_keep_their_numbers() -> None:
    centers = torch.eye(3, DIM)
    near = centers.repeat(20, 1) + 0.05 * torch.randn(60, DIM, generator=torch.Generator().manual_seed(3))
    regions = Regions(3, DIM, n_kept=60, seed=0)
    regions.add(near)
    regions.renew(0)
    first = regions.of(near)
    assert len({*first.tolist()}) == 3
    assert all(len({*first[c::3].tolist()}) == 1 for c in range(3))
    regions.add(near.roll(1, dims=0) + 0.02)
    regions.renew(20)
    assert torch.equal(regions.of(near), first)


def test_no_more_regions_than_embeddings_differ() -> None:
    regions = Regions(8, DIM, n_kept=4, seed=0)
    regions.add(torch.cat([embeddings(), torch.eye(2, DIM).repeat(2, 1)]))  # of which the last four are kept
    regions.renew(0)
    assert regions.centroids.shape == (2, DIM)
