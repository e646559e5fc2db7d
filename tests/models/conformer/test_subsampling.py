"""Four frames become one: against padded strided convolutions over the whole, and in steps."""

from __future__ import annotations

import pytest
import torch
from encoders import noise
from torch.nn.functional import conv2d, pad

from earmark.bench.observe.compute import count_macs
from earmark.models.conformer.subsampling import Subsampling


def subsampling() -> Subsampling:
    torch.manual_seed(0)
    return Subsampling(4 * 7, 3, 5)


def test_it_is_two_strided_convolutions_over_the_whole() -> None:
    """Of 7 bands come 4 and then 2; one frame of zeros before the first, none after the last."""
    layer, x = subsampling(), noise(2, 6, 28)
    planes = x.reshape(2, 1, 24, 7)
    for conv in (layer.first.conv, layer.second.conv):
        planes = conv2d(pad(planes, (1, 1, 1, 0)), conv.weight, conv.bias, stride=2).relu()
    assert planes.shape == (2, 3, 6, 2)
    found, _ = layer.step(x, layer.start(2))
    torch.testing.assert_close(found, layer.output(planes.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("cuts", [[1, 2, 3, 4, 5], [2], [1, 4]])
def test_steps_give_the_whole(cuts: list[int]) -> None:
    layer, x = subsampling(), noise(2, 6, 28)
    state, outputs = layer.start(2), []
    for part in x.tensor_split(cuts, dim=1):
        y, state = layer.step(part, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), layer.step(x, layer.start(2))[0], rtol=0, atol=1e-6)


def test_a_frame_has_seen_its_four_and_three_before_them() -> None:
    layer, x = subsampling(), noise(1, 6, 28).requires_grad_()
    layer.step(x, layer.start(1))[0][0, 3].sum().backward()
    assert x.grad is not None
    heard = x.grad.reshape(24, 7).abs().sum(dim=1).nonzero()[:, 0]
    assert (int(heard.min()), int(heard.max())) == (4 * 3 - 3, 4 * 3 + 3)


def test_macs_are_those_counted() -> None:
    layer, x = subsampling(), noise(1, 6, 28)
    with torch.inference_mode():
        counted = count_macs(lambda: layer.step(x, layer.start(1)))
    assert counted.macs == layer.macs(6)
