"""Causal convolutions, masked normalization and running squeeze-excitation: the past alone, streaming as offline."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.conv import CausalConv1d, CausalConv2d, MaskedBatchNorm, RunningSqueezeExcite


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def conv_1d() -> CausalConv1d:
    torch.manual_seed(0)
    return CausalConv1d(3, 4, 3, dilation=2)


def conv_2d() -> CausalConv2d:
    torch.manual_seed(0)
    return CausalConv2d(2, 3, 5, bands=6)


def gate() -> RunningSqueezeExcite:
    torch.manual_seed(0)
    return RunningSqueezeExcite(5)


LAYERS: dict[str, tuple[Any, int, tuple[int, ...]]] = {
    "1d": (conv_1d, 1, (2, 12, 3)),
    "2d": (conv_2d, 2, (2, 2, 12, 6)),
    "excite": (gate, 1, (2, 12, 5)),
}
"""How to make each, which axis is time, and what goes in."""


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(sorted(LAYERS)), cuts=st.lists(st.integers(1, 11), max_size=5, unique=True))
def test_streaming_in_any_chunks_is_offline(name: str, cuts: list[int]) -> None:
    make, time, shape = LAYERS[name]
    layer, x = make(), noise(*shape)
    state, outputs = layer.start(2), []
    for part in x.tensor_split(sorted(cuts), dim=time):
        y, state = layer.step(part, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=time), layer(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_later_frames_change_no_bit_of_what_went_before(name: str) -> None:
    make, time, shape = LAYERS[name]
    layer, x = make(), noise(*shape)
    other = torch.cat([x.narrow(time, 0, 8), 100 * noise(*shape, seed=1).narrow(time, 8, 4)], dim=time)
    assert torch.equal(layer(x).narrow(time, 0, 8), layer(other).narrow(time, 0, 8))
    assert not torch.equal(layer(x).narrow(time, 8, 4), layer(other).narrow(time, 8, 4))


@pytest.mark.parametrize("name", LAYERS)
def test_macs_are_those_counted(name: str) -> None:
    make, _, shape = LAYERS[name]
    layer, x = make(), noise(1, *shape[1:])
    with torch.inference_mode():
        counted = count_macs(lambda: layer(x))
    assert counted.macs == layer.macs(12)
    assert counted.uncounted == ()


def test_a_step_of_a_dilated_convolution_sees_three_frames() -> None:
    layer, x = conv_1d(), noise(1, 12, 3)
    weight = layer.conv.weight  # (out, in, 3)
    by_hand = sum(x[0, 9 - 2 * back] @ weight[:, :, 2 - back].t() for back in range(3)) + layer.conv.bias
    torch.testing.assert_close(layer(x)[0, 9], by_hand)


def test_the_gate_is_made_of_the_mean_so_far() -> None:
    layer, x = gate(), noise(1, 12, 5)
    mean = x[0, :7].mean(dim=0)
    hidden = torch.relu(mean @ layer.squeeze.weight + layer.squeeze.bias)
    by_hand = x[0, 6] * torch.sigmoid(hidden @ layer.excite.weight + layer.excite.bias)
    torch.testing.assert_close(layer(x)[0, 6], by_hand)


def test_a_mean_over_an_hour_is_still_exact() -> None:
    """A float32 sum of 120,000 frames near 1,000 would have lost the last frames' digits."""
    layer = gate()
    total = torch.full((1, 5), 1e3 * 120_000, dtype=torch.float64)
    _, (after, count) = layer.step(torch.full((1, 1, 5), 0.1), (total, 120_000))
    assert count == 120_001
    torch.testing.assert_close(after, total + float(torch.tensor(0.1)), rtol=0, atol=1e-6)


def test_batch_statistics_are_those_of_valid_frames() -> None:
    masked, plain = MaskedBatchNorm(4), nn.BatchNorm1d(4)
    x, lengths = noise(2, 6, 4), torch.tensor([6, 3])
    padded = x.clone()
    padded[1, 3:] = 1e6
    frames = torch.cat([x[0], x[1, :3]])
    expected = plain(frames)
    found = masked(padded, lengths)
    torch.testing.assert_close(torch.cat([found[0], found[1, :3]]), expected)
    torch.testing.assert_close(masked.running_var, plain.running_var)
    assert not found[1, 3:].any()
    torch.testing.assert_close(masked.eval()(x, lengths).reshape(-1, 4), plain.eval()(x.reshape(-1, 4)))


def test_gradients_reach_valid_frames_alone() -> None:
    norm, x = MaskedBatchNorm(4), noise(2, 6, 4).requires_grad_()
    norm(x, torch.tensor([6, 3])).square().sum().mul(0.5).add(norm.bias.sum()).backward()
    assert x.grad is not None
    assert not x.grad[1, 3:].any()
