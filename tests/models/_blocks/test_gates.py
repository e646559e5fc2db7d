"""Estimators of gates: their values, and the gradients they let through."""

from __future__ import annotations

import pytest
import torch

from earmark.models._blocks.gates import all_frames, frames_on, gumbel_sigmoid, sampled, straight_through


def test_straight_through_is_hard_with_the_gradient_of_a_sigmoid() -> None:
    logits = torch.tensor([-2.0, -0.1, 0.1, 3.0], requires_grad=True)
    hard = straight_through(logits)
    assert hard.tolist() == [0.0, 0.0, 1.0, 1.0]
    hard.sum().backward()
    soft = torch.sigmoid(logits.detach())
    torch.testing.assert_close(logits.grad, soft * (1 - soft))
    assert straight_through(torch.tensor([0.9, 1.1]), cut=1.0).tolist() == [0.0, 1.0]


def test_drawn_decisions_are_as_frequent_as_their_sigmoid_and_fade_to_certain_ones() -> None:
    torch.manual_seed(0)
    logits = torch.full((20_000,), 1.2, requires_grad=True)
    drawn = sampled(logits, contribution=1.0)
    assert set(drawn.detach().round(decimals=5).tolist()) == {0.0, 1.0}
    assert float(drawn.detach().mean()) == pytest.approx(torch.sigmoid(torch.tensor(1.2)).item(), abs=0.01)
    drawn.sum().backward()
    assert logits.grad is not None
    assert bool((logits.grad > 0).all())
    assert bool((sampled(logits.detach(), contribution=0.0) == 1.0).all())


def test_gumbel_decisions_are_hard_when_the_temperature_is_low() -> None:
    torch.manual_seed(0)
    drawn = gumbel_sigmoid(torch.zeros(2000), temperature=1e-5)
    assert bool(((drawn < 1e-3) | (drawn > 1 - 1e-3)).all())
    soft = gumbel_sigmoid(torch.zeros(2000), temperature=1.0)
    assert float(((soft > 0.1) & (soft < 0.9)).float().mean()) > 0.7


@pytest.mark.parametrize("logit", [-1.5, 0.0, 2.0])
def test_noise_turns_probabilities_into_rates(logit: float) -> None:
    """At temperature 0 a gate is on as often as its probability says; without noise it is a sigmoid."""
    torch.manual_seed(0)
    logits = torch.full((20_000,), logit)
    rate = (gumbel_sigmoid(logits, temperature=1e-5) > 0.5).float().mean()
    assert float(rate) == pytest.approx(float(torch.sigmoid(torch.tensor(logit))), abs=0.015)
    still = gumbel_sigmoid(logits, temperature=0.5, contribution=0.0)
    torch.testing.assert_close(still, torch.sigmoid(logits / 0.5))


def test_frames_that_are_on() -> None:
    on = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 0, 1]]) > 0
    some, none, all_ = frames_on(on[:, :, None], first=5)
    assert (some.numbers, none.numbers, all_.numbers) == ([[5, 7]], [[]], [[5, 6, 7]])
    x = torch.arange(6.0).view(3, 2)
    assert some.of(x).tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert all_.of(x) is x
    assert some.add(x.clone(), torch.ones(2, 2)).tolist() == [[1.0, 2.0], [2.0, 3.0], [5.0, 6.0]]


def test_frames_that_are_on_for_one_of_several_gates() -> None:
    on = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 0, 1]]) > 0
    (found,) = frames_on(on[:, None])
    assert found.numbers == [[0, 2], [], [0, 1, 2]]
    x = torch.arange(3.0)[:, None]
    parts = [part[:, 0].tolist() for part in found.split(found.of(x))]
    assert parts == found.numbers
    assert found.add(x.clone(), torch.ones(5, 1)).tolist() == [[2.0], [2.0], [4.0]]


def test_one_frame_is_never_copied() -> None:
    (found,) = frames_on(torch.tensor([[[True, False, True]]]), first=8)
    assert found.numbers == [[8], [], [8]]
    x, projected = torch.ones(1, 2), torch.arange(4.0).view(2, 2)
    assert all(part is x for part in found.split(found.of(x)))
    assert [part.tolist() for part in found.split(projected)] == [[[0.0, 1.0]], [], [[2.0, 3.0]]]


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("n_gates", [1, 2])
def test_all_frames_are_those_that_are_on_where_all_are(k: int, n_gates: int) -> None:
    (expected,) = frames_on(torch.ones(k, 1, n_gates, dtype=torch.bool), first=4)
    found, x = all_frames(k, n_gates, 4, torch.device("cpu")), torch.arange(k)
    assert (found.counts, found.numbers) == (expected.counts, expected.numbers)
    assert torch.equal(found.of(x), expected.of(x))
