"""Rotary positions: products depend on distances alone, however late a frame comes."""

from __future__ import annotations

import cmath

import pytest
import torch
from torch import Tensor

from earmark.models._blocks.rope import Rotary


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("width", [8, 9])
def test_it_is_a_product_with_complex_numbers(width: int) -> None:
    """Section 3.4.2 of the paper: place i of each half by exp(1j * frame * 10000 ** (-i / half))."""
    rotary, x = Rotary(width), noise(3, width)
    turned = rotary(x, rotary.at(torch.arange(5, 8)))
    for n in range(3):
        for i in range(4):
            expected = complex(x[n, i], x[n, i + 4]) * cmath.exp(1j * (5 + n) * 10_000 ** (-i / 4))
            assert complex(turned[n, i], turned[n, i + 4]) == pytest.approx(expected, abs=1e-5)
    assert torch.equal(turned[:, 8:], x[:, 8:])
    torch.testing.assert_close(rotary.turn_(x.clone(), rotary.at(torch.arange(5, 8))), turned)


def test_products_depend_on_how_far_apart_two_frames_are() -> None:
    rotary, query, key = Rotary(12), noise(12), noise(2, 12)[1]

    def product(t: int, j: int) -> float:
        return float(
            rotary(query[None], rotary.at(torch.tensor([t]))) @ rotary(key[None], rotary.at(torch.tensor([j]))).t()
        )

    assert product(7, 3) == pytest.approx(product(40_007, 40_003), abs=1e-5)
    assert product(7, 3) != pytest.approx(product(7, 4), abs=1e-2)


def test_some_frames_are_turned_as_all_are() -> None:
    whole, part = Rotary(6).at(torch.arange(30)), Rotary(6).at(torch.arange(11, 15))
    assert torch.equal(whole[11:15], part)
