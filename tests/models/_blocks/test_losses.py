"""Losses of several channels: in closed form, and every way to exchange channels tried."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.models._blocks.losses import best_assignment, late_penalties, masking_loss
from earmark.models._blocks.transducer import transducer_loss


@given(
    due=st.integers(0, 6),
    buffer=st.integers(0, 4),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 2.5]),
    n_frames=st.integers(1, 12),
)
@settings(deadline=None)
def test_the_penalty_is_nothing_until_due_and_buffer_and_then_linear(
    due: int, buffer: int, alpha: float, n_frames: int
) -> None:
    found = late_penalties(torch.tensor([[float(due), torch.inf]]), n_frames, alpha, buffer)
    expected = [alpha * (t - buffer - due) if t > due + buffer else 0.0 for t in range(n_frames)]
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-5)
    assert not found[0, :, 1].any()  # what is never due is never late


def test_alpha_0_recovers_the_transducer_loss() -> None:
    logits = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    targets, lengths, n = torch.tensor([[1, 5, 2], [5, 3, 0]]), torch.tensor([5, 4]), torch.tensor([3, 2])
    due = torch.tensor([[torch.inf, 1.0, torch.inf, torch.inf], [0.0, torch.inf, torch.inf, torch.inf]])
    plain = transducer_loss(logits, targets, lengths, n)
    penalized = [
        transducer_loss(logits, targets, lengths, n, penalties=late_penalties(due, 5, alpha, 1))
        for alpha in (0.0, 1.0, 50.0)
    ]
    assert torch.equal(penalized[0], plain)
    assert bool((penalized[1] > plain).all())
    assert bool((penalized[2] > penalized[1]).all())


def test_a_penalty_is_what_the_label_costs_in_that_frame() -> None:
    """One label, three frames: the loss by hand with e^-penalty on the label's probability in each frame."""
    logits = torch.randn(1, 3, 2, 4, generator=torch.Generator().manual_seed(1))
    due = torch.tensor([[0.0, torch.inf]])
    p = logits[0].softmax(-1).double().numpy()
    paths = [np.prod(p[:t, 0, 0]) * p[t, 0, 2] * np.exp(-2.0 * max(0, t - 1)) * np.prod(p[t:, 1, 0]) for t in range(3)]
    found = transducer_loss(
        logits, torch.tensor([[2]]), torch.tensor([3]), torch.tensor([1]), penalties=late_penalties(due, 3, 2.0, 1)
    )
    assert found.item() == pytest.approx(-np.log(sum(paths)), rel=1e-5)


def test_quiet_channels_cost_nothing() -> None:
    encoded = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    silent = torch.tensor([[True, False, False, True], [False, True, False, False]])
    assert masking_loss(encoded.masked_fill(silent[..., None], 0.0), silent) == 0.0
    assert masking_loss(encoded, torch.zeros_like(silent)) == 0.0


def test_the_masking_loss_is_the_mean_square_of_silent_frames_alone() -> None:
    encoded = torch.zeros(2, 3, 2, requires_grad=True)
    with torch.no_grad():
        encoded[0, 1] = torch.tensor([3.0, 4.0])  # silent
        encoded[1, 0] = 100.0  # not silent
    silent = torch.tensor([[False, True, False], [False, False, True]])
    loss = masking_loss(encoded, silent)
    loss.backward()
    assert loss.item() == pytest.approx(25.0 / 4)  # two frames of two numbers
    assert encoded.grad is not None
    assert not encoded.grad[~silent].any()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_assignment_is_the_least_of_all_permutations(n: int) -> None:
    losses = torch.rand(n, n, 7, generator=torch.Generator().manual_seed(n))
    best = best_assignment(losses)
    for b in range(7):
        sums = {order: sum(float(losses[i, j, b]) for i, j in enumerate(order)) for order in permutations(range(n))}
        assert sums[tuple(best[b].tolist())] == pytest.approx(min(sums.values()))


def test_of_equals_nothing_is_exchanged() -> None:
    assert best_assignment(torch.ones(2, 2, 3)).tolist() == [[0, 1]] * 3
