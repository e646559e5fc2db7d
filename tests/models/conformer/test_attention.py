"""Attention over a bounded past: against a loop over queries and keys, in any chunks, and no farther back than said."""

from __future__ import annotations

import math

import pytest
import torch
from encoders import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from earmark.bench.observe.compute import count_macs
from earmark.models.conformer.attention import PastAttention

WIDTH, HEADS, LEFT = 12, 3, 5


def attention(left: int = LEFT) -> PastAttention:
    torch.manual_seed(0)
    layer = PastAttention(WIDTH, HEADS, left)
    nn.init.normal_(layer.content_bias)  # training leaves them so; they begin as zeros
    nn.init.normal_(layer.position_bias)
    return layer


def whole(layer: PastAttention, x: Tensor) -> Tensor:
    return layer.step(x, layer.start(len(x)))[0]


def one_by_one(layer: PastAttention, x: Tensor) -> Tensor:
    """Transformer-XL's four terms for each pair of frames, one head at a time: (T, WIDTH) -> (T, WIDTH)."""
    size = WIDTH // HEADS
    q, k, v = (x @ layer.inputs.weight + layer.inputs.bias).split(WIDTH, dim=1)
    rows = []
    for t in range(len(x)):
        heads = []
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            seen = range(max(0, t - layer.left), t + 1)
            liked_key, liked_place = layer.content_bias[h, 0], layer.position_bias[h, 0]
            scores = [
                (q[t, part] + liked_key) @ k[j, part]
                + (q[t, part] + liked_place) @ layer.positions[layer.left - (t - j), part]
                for j in seen
            ]
            weights = torch.stack(scores).div(math.sqrt(size)).softmax(dim=0)
            heads.append(weights @ v[list(seen)][:, part])
        rows.append(torch.cat(heads))
    return torch.stack(rows) @ layer.output.weight + layer.output.bias


@pytest.mark.parametrize("left", [1, 5, 40])
def test_it_is_what_a_loop_over_queries_and_keys_gives(left: int) -> None:
    """Recordings shorter and longer than the past that is seen, and groups of queries that are not full."""
    layer, x = attention(left), noise(1, 17, WIDTH)
    torch.testing.assert_close(whole(layer, x)[0], one_by_one(layer, x[0]), rtol=1e-4, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 20), max_size=6, unique=True))
def test_streaming_in_any_chunks_is_offline(cuts: list[int]) -> None:
    layer, x = attention(), noise(2, 21, WIDTH)
    state, outputs = layer.start(2), []
    for part in x.tensor_split(sorted(cuts), dim=1):
        y, state = layer.step(part, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole(layer, x), rtol=0, atol=1e-5)


def test_later_frames_change_no_bit_of_what_went_before() -> None:
    layer, x = attention(), noise(1, 20, WIDTH)
    other = torch.cat([x[:, :13], 100 * noise(1, 7, WIDTH, seed=1)], dim=1)
    assert torch.equal(whole(layer, x)[:, :13], whole(layer, other)[:, :13])
    assert not torch.equal(whole(layer, x)[:, 13:], whole(layer, other)[:, 13:])


def test_a_frame_sees_itself_and_as_many_before_it_as_said() -> None:
    layer, x = attention(), noise(1, 20, WIDTH).requires_grad_()
    whole(layer, x)[0, 14].sum().backward()
    assert x.grad is not None
    assert x.grad[0].abs().sum(dim=1).nonzero()[:, 0].tolist() == list(range(14 - LEFT, 15))


def test_zeros_before_the_first_frame_are_not_seen() -> None:
    """The first frame sees itself alone: what comes out is its own value, whatever the scores."""
    layer, x = attention(), noise(1, 1, WIDTH)
    value = (x[0, 0] @ layer.inputs.weight + layer.inputs.bias)[2 * WIDTH :]
    torch.testing.assert_close(whole(layer, x)[0, 0], value @ layer.output.weight + layer.output.bias)


def test_nothing_depends_on_when_a_recording_began() -> None:
    """Positions are relative: once as many frames have come as are seen, earlier ones change nothing."""
    layer, x = attention(), noise(1, 20, WIDTH)
    torch.testing.assert_close(whole(layer, x)[:, 4 + LEFT :], whole(layer, x[:, 4:])[:, LEFT:])


@pytest.mark.parametrize("n_frames", [1, 5, 13])
def test_macs_are_those_counted(n_frames: int) -> None:
    layer, x = attention(), noise(1, n_frames, WIDTH)
    with torch.inference_mode():
        counted = count_macs(lambda: whole(layer, x))
    assert counted.macs == layer.macs(n_frames)
    assert counted.uncounted == ()


def test_a_frame_of_a_long_chunk_costs_less_than_twice_what_it_costs_alone() -> None:
    """Groups of queries keep the cost of attention from growing with the chunk."""
    layer = attention(32)
    assert layer.macs(32 * 100) / (32 * 100) < 2 * layer.macs(1)
    assert layer.macs(32 * 100) == 100 * layer.macs(32)
