"""Predictor, joint and loss: alignments counted one by one, FastEmit against an independent forward-backward."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchaudio.functional import rnnt_loss

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.transducer import Joint, Predictor, ctc_loss, transducer_loss

T, U, V = 4, 3, 5


def random_logits(batch: int = 1, t: int = T, u: int = U, seed: int = 0) -> Tensor:
    return 2.0 * torch.randn(batch, t, u + 1, V, generator=torch.Generator().manual_seed(seed))


def lengths(*values: int) -> Tensor:
    return torch.tensor(values)


def loss(logits: Tensor, targets: list[int], fastemit: float = 0.0) -> Tensor:
    """Of one row without padding."""
    t, u = logits.shape[0], len(targets)
    return transducer_loss(logits[None], torch.tensor([targets]).long(), lengths(t), lengths(u), fastemit=fastemit)[0]


def by_enumeration(logits: Tensor, targets: list[int]) -> float:
    """Minus the log of the summed probabilities of all ways to put the labels between the blanks; the last is blank."""
    log_probs = logits.double().log_softmax(-1).tolist()
    t_end, u_end = len(log_probs), len(targets)
    probability = 0.0
    for places in itertools.combinations(range(t_end + u_end - 1), u_end):  # steps that say a label
        t = u = 0
        total = 0.0
        for step in range(t_end + u_end):
            if step in places:
                total += log_probs[t][u][targets[u]]
                u += 1
            else:
                total += log_probs[t][u][0]
                t += 1
        probability += math.exp(total)
    return -math.log(probability)


def occupancies(log_probs: np.ndarray, targets: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the paths that say blank, or the next label, at each node: forward-backward in float64."""
    n_frames, u_end = log_probs.shape[0], len(targets)
    blank = np.exp(log_probs[:, :, 0])
    label = np.zeros_like(blank)
    for u, target in enumerate(targets):
        label[:, u] = np.exp(log_probs[:, u, target])
    alpha, beta = np.zeros((n_frames + 1, u_end + 1)), np.zeros((n_frames + 1, u_end + 1))
    alpha[0, 0] = 1.0
    for t, u in itertools.product(range(n_frames), range(u_end + 1)):
        alpha[t + 1, u] += alpha[t, u] * blank[t, u]
        if u < u_end:
            alpha[t, u + 1] += alpha[t, u] * label[t, u]
    beta[n_frames, u_end] = 1.0
    for t, u in itertools.product(reversed(range(n_frames)), reversed(range(u_end + 1))):
        beta[t, u] = blank[t, u] * beta[t + 1, u] + (label[t, u] * beta[t, u + 1] if u < u_end else 0.0)
    behind = np.hstack([beta[:-1, 1:], np.zeros((n_frames, 1))])
    return alpha[:-1] * blank * beta[1:] / beta[0, 0], alpha[:-1] * label * behind / beta[0, 0]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def surrogate(logits: np.ndarray, targets: list[int], shares: tuple[np.ndarray, np.ndarray], scale: float) -> float:
    """Minus the log-probabilities weighted with fixed shares, those of the labels ``scale`` times."""
    log_probs = log_softmax(logits)
    total = float((shares[0] * log_probs[:, :, 0]).sum())
    for u, target in enumerate(targets):
        total += scale * float((shares[1][:, u] * log_probs[:, u, target]).sum())
    return -total


def differences(value: object, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    assert callable(value)
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        found[place] = (value(moved[0]) - value(moved[1])) / (2 * step)
    return found


def gradient(logits: Tensor, targets: list[int], fastemit: float) -> np.ndarray:
    logits = logits.clone().requires_grad_()
    loss(logits, targets, fastemit).backward()
    assert logits.grad is not None
    return logits.grad.double().numpy()


# --- the loss -----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(t=st.integers(1, 4), targets=st.lists(st.integers(1, V - 1), max_size=4), seed=st.integers(0, 9))
def test_the_loss_sums_all_alignments(t: int, targets: list[int], seed: int) -> None:
    logits = random_logits(t=t, u=len(targets), seed=seed)[0]
    assert loss(logits, targets).item() == pytest.approx(by_enumeration(logits, targets), rel=1e-5, abs=1e-5)


def test_value_and_gradient_are_those_of_torchaudio_with_all_labels() -> None:
    logits = random_logits(3).requires_grad_()
    targets = torch.tensor([[1, 2, 3], [4, 4, 0], [2, 0, 0]])
    frame_lengths, target_lengths = lengths(4, 3, 2), lengths(3, 2, 1)
    own = transducer_loss(logits, targets, frame_lengths, target_lengths)
    theirs = rnnt_loss(logits, targets.int(), frame_lengths.int(), target_lengths.int(), blank=0, reduction="none")
    torch.testing.assert_close(own, theirs)
    weights = torch.tensor([1.0, -2.0, 0.5])
    own_gradient, their_gradient = (torch.autograd.grad((x * weights).sum(), logits)[0] for x in (own, theirs))
    torch.testing.assert_close(own_gradient, their_gradient, atol=1e-5, rtol=0)


@pytest.mark.parametrize("filling", [0, 1, V + 7, -100])
@pytest.mark.parametrize("fastemit", [0.0, 0.1])
def test_padding_is_never_read(filling: int, fastemit: float) -> None:
    """Beyond a row's frames and labels, in logits and targets, and where the whole batch is longer than its rows."""
    rows = [(random_logits(t=3, u=2)[0], [1, 4]), (random_logits(t=5, u=0, seed=1)[0], [])]
    logits = torch.full((2, 7, 5, V), 50.0)
    targets = torch.full((2, 4), filling)
    for padded, row, (short, labels) in zip(logits, targets, rows, strict=True):
        padded[: short.shape[0], : short.shape[1]] = short
        row[: len(labels)] = torch.tensor(labels)
    logits.requires_grad_()
    losses = transducer_loss(logits, targets, lengths(3, 5), lengths(2, 0), fastemit=fastemit)
    losses.sum().backward()
    assert logits.grad is not None
    for own, found, (short, labels) in zip(losses, logits.grad, rows, strict=True):
        assert own.item() == pytest.approx(by_enumeration(short, labels), rel=1e-5)
        inside = found[: short.shape[0], : short.shape[1]]
        np.testing.assert_allclose(inside.numpy(), gradient(short, labels, fastemit), atol=1e-6)
        inside.zero_()
        assert not found.any()


# --- FastEmit -----------------------------------------------------------------------------------------------------

TARGETS = [1, 2, 2]


def test_shares_of_the_reference_are_shares() -> None:
    """Of the test's own forward-backward: every path leaves each frame once and says each label once."""
    blank, label = occupancies(log_softmax(random_logits()[0].double().numpy()), TARGETS)
    np.testing.assert_allclose(blank.sum(axis=1), 1.0)
    np.testing.assert_allclose(label.sum(axis=0), [1.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize("fastemit", [0.0, 0.005, 0.5])
def test_gradients_are_differences_of_the_surrogate(fastemit: float) -> None:
    """log y replaced by (1 + lambda) log y, with the occupancies held fixed (FastEmit, section 3)."""
    logits = random_logits()[0]
    exact = logits.double().numpy()
    shares = occupancies(log_softmax(exact), TARGETS)
    expected = differences(lambda x: surrogate(x, TARGETS, shares, 1.0 + fastemit), exact)
    np.testing.assert_allclose(gradient(logits, TARGETS, fastemit), expected, atol=2e-5)


def test_differences_of_the_loss_agree_without_fastemit_alone() -> None:
    logits = random_logits()[0]
    plain = differences(lambda x: by_enumeration(torch.from_numpy(x), TARGETS), logits.double().numpy())
    np.testing.assert_allclose(gradient(logits, TARGETS, 0.0), plain, atol=2e-5)
    assert np.abs(gradient(logits, TARGETS, 0.5) - plain).max() > 0.01


@pytest.mark.parametrize("fastemit", [0.0, 0.01, 1.0])
def test_gradients_have_the_closed_form(fastemit: float) -> None:
    """p_k (g_b + (1 + lambda) g_y) - [k = blank] g_b - [k = label] (1 + lambda) g_y, with g the occupancies."""
    logits = random_logits(seed=3)[0]
    log_probs = log_softmax(logits.double().numpy())
    blank, label = occupancies(log_probs, TARGETS)
    label = (1.0 + fastemit) * label
    expected = np.exp(log_probs) * (blank + label)[:, :, None]
    expected[:, :, 0] -= blank
    for u, target in enumerate(TARGETS):
        expected[:, u, target] -= label[:, u]
    np.testing.assert_allclose(gradient(logits, TARGETS, fastemit), expected, atol=1e-5)


@pytest.mark.parametrize("fastemit", [0.0, 0.5])
def test_gradients_sum_to_zero_at_each_node(fastemit: float) -> None:
    found = gradient(random_logits()[0], TARGETS, fastemit)
    np.testing.assert_allclose(found.sum(axis=-1), 0.0, atol=1e-6)
    assert np.abs(found).max() > 0.1


def test_fastemit_leaves_the_value() -> None:
    logits = random_logits()[0]
    assert torch.equal(loss(logits, TARGETS, 0.7), loss(logits, TARGETS))


# --- predictor and joint ------------------------------------------------------------------------------------------


def predictor(layers: int = 1) -> Predictor:
    torch.manual_seed(0)
    return Predictor(V, 3, 6, 4, layers=layers, dropout=0.5).eval()


@pytest.mark.parametrize("layers", [1, 2])
def test_steps_of_the_predictor_are_its_rows(layers: int) -> None:
    model, targets = predictor(layers), torch.tensor([[1, 4, 2], [3, 3, 1]])
    rows = model(targets)
    assert rows.shape == (2, 4, 4)
    output, state = model.start(2)
    torch.testing.assert_close(output, rows[:, 0], atol=1e-6, rtol=0)
    for u in range(3):
        output, state = model.step(targets[:, u], state)
        torch.testing.assert_close(output, rows[:, u + 1], atol=1e-6, rtol=0)


def test_no_row_of_the_predictor_has_read_ahead() -> None:
    model = predictor()
    assert torch.equal(model(torch.tensor([[1, 4, 2]]))[:, :3], model(torch.tensor([[1, 4, 3]]))[:, :3])
    assert model(torch.zeros(2, 0)).shape == (2, 1, 4)


def test_the_joint_scores_each_pair_as_a_step_does() -> None:
    joint = Joint(4, V)
    encoded, predicted = torch.randn(2, 3, 4), torch.randn(2, 2, 4)
    logits = joint(encoded, predicted)
    assert logits.shape == (2, 3, 2, V)
    for t, u in itertools.product(range(3), range(2)):
        torch.testing.assert_close(logits[:, t, u], joint.step(encoded[:, t], predicted[:, u]))
    by_hand = torch.tanh(encoded[1, 2] + predicted[1, 0]) @ joint.output.weight + joint.output.bias
    torch.testing.assert_close(logits[1, 2, 0], by_hand)


def test_macs_are_those_counted() -> None:
    model, joint = predictor(2), Joint(4, V)
    with torch.inference_mode():
        output, state = model.start(1)
        assert count_macs(lambda: model.step(torch.tensor([1]), state)).macs == model.macs(1)
        assert count_macs(lambda: model(torch.tensor([[1, 2, 3]]))).macs == model.macs(4)
        assert count_macs(lambda: joint.step(torch.randn(7, 4), output)).macs == joint.macs(7)
        assert count_macs(lambda: joint(torch.randn(1, 3, 4), torch.randn(1, 2, 4))).macs == joint.macs(6)


@pytest.mark.gpu
@pytest.mark.slow
def test_cuda_gives_the_loss_and_gradients_of_the_cpu() -> None:
    logits, targets = random_logits(2), torch.tensor([[1, 2, 3], [4, 4, 0]])
    found = []
    for device in ("cpu", "cuda"):
        own = logits.to(device).requires_grad_()
        losses = transducer_loss(
            own, targets.to(device), lengths(4, 3).to(device), lengths(3, 2).to(device), fastemit=0.1
        )
        found.append((losses.detach().cpu(), torch.autograd.grad(losses.sum(), own)[0].cpu()))
    torch.testing.assert_close(found[1], found[0], atol=1e-4, rtol=0)


def test_ctc_sums_over_every_alignment() -> None:
    """All ways to say labels and blanks in four frames, written out; repeats merge unless a blank stands between."""
    scores, targets = random_logits()[0, :, 0], [2, 2]
    log_probs = scores.double().log_softmax(-1)
    total = 0.0
    for path in itertools.product(range(V), repeat=T):
        merged = [label for label, _ in itertools.groupby(path) if label != 0]
        if merged == targets:
            total += math.exp(sum(float(log_probs[t, label]) for t, label in enumerate(path)))
    found = ctc_loss(scores[None], torch.tensor([[2, 2, 0]]), lengths(T), lengths(2))
    assert found.item() == pytest.approx(-math.log(total), rel=1e-5)


def test_ctc_leaves_out_rows_too_short_for_their_labels() -> None:
    scores = random_logits(batch=2)[:, :, 0].requires_grad_()
    found = ctc_loss(scores, torch.tensor([[1, 1, 1], [1, 2, 0]]), lengths(T, T), lengths(3, 2))
    found.sum().backward()
    assert scores.grad is not None
    assert found[0] == 0.0 < found[1]
    assert not scores.grad[0].any()
