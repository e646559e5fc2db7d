"""Blocks of ContextNet: against the formula of the paper, how far back they hear, and how they begin."""

from __future__ import annotations

import torch
from encoders import noise
from torch.nn.functional import conv1d, pad, silu

from earmark.models.contextnet.blocks import ContextBlock, SeparableConv


def block(width_in: int = 6, width: int = 6, *, residual: bool = True) -> ContextBlock:
    torch.manual_seed(0)
    return ContextBlock(width_in, width, layers=2, kernel=5, residual=residual, dropout=0.0).eval()


def test_a_layer_convolves_each_channel_by_itself_and_then_mixes_them() -> None:
    layer, x = SeparableConv(3, 4, 5).eval(), noise(1, 12, 3)
    weight, bias = layer.depthwise.conv.weight, layer.depthwise.conv.bias
    assert bias is not None
    channels = [
        conv1d(pad(x[:, None, :, c], (4, 0)), weight[c : c + 1], bias[c : c + 1])[:, 0]  # (1, 12) each
        for c in range(3)
    ]
    mixed = torch.stack(channels, dim=2) @ layer.pointwise.weight + layer.pointwise.bias
    torch.testing.assert_close(layer.step(x, layer.start(1))[0], silu(layer.norm(mixed)))


def test_a_block_is_the_formula_of_the_paper() -> None:
    """Section 2.2.4: Act(SE(f(f(x))) + P(x)); without a residual connection Act(SE(f(f(x))))."""
    for residual in (True, False):
        one, x = block(6, 8, residual=residual), noise(1, 12, 6)
        y = x
        for layer in one.layers:
            y, _ = layer.step(y, layer.start(1))  # type: ignore[operator]
        y = one.excite(y)
        expected = y + one.project(x) if one.project is not None else y
        torch.testing.assert_close(one.step(x, one.start(1))[0], silu(expected))


def test_it_hears_eight_frames_back_by_its_convolutions_and_all_by_its_mean() -> None:
    one, x = block(), noise(1, 40, 6).requires_grad_()
    one.step(x, one.start(1))[0][0, 30].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(dim=1)
    assert heard[:31].all()
    assert not heard[31:].any()
    assert heard[22:31].max() > 10 * heard[:22].max()


def test_a_projection_begins_as_the_identity_where_widths_agree() -> None:
    same, other = block(6, 6).project, block(6, 8).project
    assert same is not None
    assert other is not None
    torch.testing.assert_close(same.weight, torch.eye(6))
    assert other.weight.shape == (6, 8)
