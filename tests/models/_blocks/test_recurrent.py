"""LSTM layers: torch's own numbers, streaming as offline, one set of weights, work as counted."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.recurrent import Dense, Lstm, LstmState, StreamingLSTM, join, pick, put

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "projected": {"projection": 4},
    "everything": {"projection": 4, "norm": True, "activation": "swish", "dropout": 0.5},
}


def lstm(seed: int = 0, layers: int = 2, **kinds: Any) -> StreamingLSTM:
    torch.manual_seed(seed)
    return StreamingLSTM(5, 6, layers, **kinds).eval()


def frames(batch: int = 2, n: int = 9, width: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(batch, n, width, generator=torch.Generator().manual_seed(seed))


def stream(model: StreamingLSTM, x: Tensor, chunks: list[int]) -> Tensor:
    assert sum(chunks) == x.shape[1]
    state, outputs = model.start(len(x)), []
    with torch.no_grad():
        for part in x.split(chunks, dim=1):
            y, state = model.step(part, state)
            outputs.append(y)
    return torch.cat(outputs, dim=1)


def copy_from_torch(layer: Lstm, reference: nn.LSTM, number: int) -> None:
    with torch.no_grad():
        layer.weight_input.copy_(getattr(reference, f"weight_ih_l{number}").t())
        layer.weight_hidden.copy_(getattr(reference, f"weight_hh_l{number}").t())
        layer.bias_input.copy_(getattr(reference, f"bias_ih_l{number}"))
        layer.bias_hidden.copy_(getattr(reference, f"bias_hh_l{number}"))


def test_with_the_weights_of_torch_it_is_torch() -> None:
    reference = nn.LSTM(5, 6, num_layers=2, batch_first=True)
    model = lstm()
    for number, layer in enumerate(model.layers):
        copy_from_torch(layer.lstm, reference, number)
    x = frames()
    expected, (h, c) = reference(x)
    torch.testing.assert_close(model(x), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(stream(model, x, [9]), expected, atol=1e-6, rtol=0)
    _, state = model.step(x, model.start(2))
    for number, (own_h, own_c) in enumerate(state):
        torch.testing.assert_close((own_h, own_c), (h[number], c[number]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_torch(training: bool) -> None:
    reference, model = nn.LSTM(5, 6, batch_first=True), lstm(layers=1).train(training)
    copy_from_torch(model.layers[0].lstm, reference, 0)
    x = frames()
    reference(x)[0].square().sum().backward()
    model(x).square().sum().backward()
    own, theirs = model.layers[0].lstm, reference
    torch.testing.assert_close(own.weight_input.grad.t(), theirs.weight_ih_l0.grad)
    torch.testing.assert_close(own.weight_hidden.grad.t(), theirs.weight_hh_l0.grad)
    torch.testing.assert_close(own.bias_input.grad, theirs.bias_ih_l0.grad)


def test_a_layer_is_lstm_then_projection_then_norm_then_swish() -> None:
    model = lstm(layers=1, **KINDS["everything"])
    layer, x = model.layers[0], frames()
    by_hand = layer.lstm(x) @ layer.projection.weight + layer.projection.bias
    by_hand = functional.layer_norm(by_hand, (4,), layer.norm.weight, layer.norm.bias)
    torch.testing.assert_close(model(x), by_hand * torch.sigmoid(by_hand))
    assert model.width_out == 4


def test_dropout_works_in_training_alone() -> None:
    model, x = lstm(dropout=0.5), frames()
    assert torch.equal(model(x), model(x))
    assert (model.train()(x) == 0).float().mean() == pytest.approx(0.5, abs=0.2)


def test_dense_is_linear_transposed() -> None:
    dense, linear = Dense(5, 3), nn.Linear(5, 3)
    dense.load_state_dict({"weight": linear.weight.t(), "bias": linear.bias})
    for x in (frames(), frames()[0, 0], frames()[:, :0]):
        torch.testing.assert_close(dense(x), linear(x))


def test_weights_are_drawn_as_torch_draws_them() -> None:
    """Uniform within 1 / sqrt(n): the variance is a third of its square."""
    torch.manual_seed(0)
    for module, n in ((Lstm(50, 100), 100), (Dense(50, 400), 50)):
        for weight in module.parameters():
            assert weight.abs().max() <= 1 / math.sqrt(n)
            assert weight.var().item() == pytest.approx(1 / (3 * n), rel=0.2)


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), chunks=st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_streaming_in_any_chunks_is_offline(kind: str, chunks: list[int]) -> None:
    model, x = lstm(**KINDS[kind]), frames(n=sum(chunks))
    torch.testing.assert_close(stream(model, x, chunks), model(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_for_sequences_gives_what_steps_give(kind: str) -> None:
    """From any state on, and its state after them."""
    model, x = lstm(**KINDS[kind]), frames(n=20)
    with torch.no_grad():
        _, before = model.step(x[:, :7], model.start(2))
        expected, after = model.step(x[:, 7:], before)
        found, state = model.run(x[:, 7:], before)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(state, after, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_later_frames_change_no_bit_of_what_went_before(kind: str) -> None:
    model, x = lstm(**KINDS[kind]), frames(n=12)
    other = torch.cat([x[:, :7], 100 * frames(n=5, seed=1)], dim=1)
    assert torch.equal(model(x)[:, :7], model(other)[:, :7])
    assert torch.equal(stream(model, x, [3, 4, 5])[:, :7], stream(model, other, [3, 4, 5])[:, :7])
    assert not torch.equal(model(x)[:, 7:], model(other)[:, 7:])


def test_padding_changes_nothing_before_it() -> None:
    model, x = lstm(**KINDS["everything"]), frames(n=12)
    padded = torch.cat([x, torch.full((2, 20, 5), 1e6)], dim=1)
    torch.testing.assert_close(model(padded, torch.tensor([12, 12]))[:, :12], model(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("k", [1, 3])
def test_a_step_leaves_the_state_it_was_given(k: int) -> None:
    model = lstm()
    _, state = model.step(frames(), model.start(2))
    before = [(h.clone(), c.clone()) for h, c in state]
    once, _ = model.step(frames(n=k), state)
    again, _ = model.step(frames(n=k), state)
    assert torch.equal(once, again)
    assert all(
        torch.equal(a, b) for pair, kept in zip(state, before, strict=True) for a, b in zip(pair, kept, strict=True)
    )


def test_a_loaded_state_is_heard_at_once() -> None:
    model, other, x = lstm(0), lstm(1), frames()
    first = stream(model, x, [1] * 9)
    model.load_state_dict(other.state_dict())
    assert torch.equal(stream(model, x, [1] * 9), stream(other, x, [1] * 9))
    assert not torch.equal(stream(model, x, [1] * 9), first)


@pytest.mark.parametrize("fused", [False, True])
def test_an_optimizer_step_is_heard_at_once(fused: bool) -> None:
    """In the middle of a stream, the state kept; the fused kernel changes weights behind torch's version counter."""
    model, x = lstm(), frames()
    _, state = model.step(x, model.start(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    fresh = lstm(1)
    fresh.load_state_dict({name: tensor.clone() for name, tensor in model.state_dict().items()})
    for k in (1, 3):
        assert torch.equal(model.step(frames(n=k), state)[0], fresh.step(frames(n=k), state)[0])
    torch.testing.assert_close(stream(model, x, [4, 5]), model(x), atol=1e-5, rtol=0)


def test_weights_lie_in_order_in_memory() -> None:
    """Files and fused optimizers want it so, and the product with one row is fast because of it."""
    model = lstm(**KINDS["everything"])
    assert all(parameter.is_contiguous() for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 3])
def test_macs_are_those_counted(kind: str, k: int) -> None:
    model, x = lstm(**KINDS[kind]), frames(batch=1, n=k)
    state = model.start(1)
    with torch.inference_mode():
        stepping, offline = count_macs(lambda: model.step(x, state)), count_macs(lambda: model(x))
    assert stepping.macs == offline.macs == model.macs(k)
    assert stepping.uncounted == offline.uncounted == ()


def test_rows_of_a_state_are_streams_of_their_own() -> None:
    model, x = lstm(), frames(batch=3, n=4)
    _, state = model.step(x, model.start(3))
    rows = torch.tensor([2, 0])
    output, part = model.step(x[rows], pick(state, rows))
    whole, expected = model.step(x, state)
    torch.testing.assert_close(output, whole[rows], atol=1e-6, rtol=0)
    mixed = put(state, rows, part)
    assert_states_close(pick(mixed, torch.tensor([1])), pick(state, torch.tensor([1])))
    assert_states_close(pick(mixed, rows), pick(expected, rows))
    assert_states_close(join([pick(state, torch.tensor([0])), pick(state, torch.tensor([1, 2]))]), state)


def assert_states_close(own: LstmState, expected: LstmState) -> None:
    torch.testing.assert_close(own, expected, atol=1e-6, rtol=0)


@pytest.mark.gpu
@pytest.mark.slow
def test_cuda_gives_the_numbers_of_the_cpu_and_gradients_in_eval_mode() -> None:
    model, x = lstm(**KINDS["everything"]), frames()
    expected = model(x)
    model.cuda()
    state = model.start(2)
    output, _ = model.step(x.cuda(), state)
    assert state[0][0].is_cuda
    torch.testing.assert_close(model(x.cuda()).cpu(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(output.cpu(), expected, atol=1e-4, rtol=0)
    model(x.cuda()).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
