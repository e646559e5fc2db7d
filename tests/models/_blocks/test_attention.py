"""Gated attention: plain softmax where all is on, each key that is off as if it had never been, and small caches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from earmark.models._blocks.attention import gated_attention
from earmark.models._blocks.key_cache import KeyCache
from earmark.models._blocks.rope import Rotary

T, HEADS, WIDTH = 7, 2, 5


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parts() -> tuple[Tensor, Tensor, Tensor]:
    return noise(1, HEADS, T, WIDTH), noise(1, HEADS, T, WIDTH, seed=1), noise(1, HEADS, T, WIDTH, seed=2)


CAUSAL = torch.ones(T, T, dtype=torch.bool).tril()


def test_all_on_is_attention() -> None:
    expected = torch.nn.functional.scaled_dot_product_attention(*parts(), is_causal=True)
    torch.testing.assert_close(gated_attention(*parts(), CAUSAL, torch.ones(1, HEADS, T)), expected)


def test_keys_that_are_off_might_as_well_not_be_there() -> None:
    """Row by row, in plain loops, over the keys that are on; rows without one are zeros."""
    query, key, value = parts()
    on = (noise(1, HEADS, T, seed=3) > 0.3).float()
    found = gated_attention(query, key, value, CAUSAL, on)
    for h in range(HEADS):
        for t in range(T):
            seen = [j for j in range(t + 1) if on[0, h, j] > 0]
            scores = [math.exp(float(query[0, h, t] @ key[0, h, j]) / math.sqrt(WIDTH)) for j in seen]
            expected = sum(
                (s / sum(scores) * value[0, h, j] for s, j in zip(scores, seen, strict=True)), torch.zeros(WIDTH)
            )
            torch.testing.assert_close(found[0, h, t], expected)


def test_a_row_whose_keys_are_all_off_gives_zeros_and_finite_gradients() -> None:
    query, key, value = (x.requires_grad_() for x in parts())
    on = torch.zeros(1, HEADS, T, requires_grad=True)
    found = gated_attention(query, 50.0 * key, value, CAUSAL, on)
    assert torch.equal(found, torch.zeros_like(found))
    found.sum().backward()
    for x in (query, key, value, on):
        assert x.grad is not None
        assert bool(x.grad.isfinite().all())


def test_soft_gates_add_their_logarithm_to_the_column_of_a_key() -> None:
    """Index j, not the paper's t: a number that is the same along a row would cancel. Values are multiplied too."""
    query, key, value = parts()
    soft = torch.sigmoid(noise(1, HEADS, T, seed=4))
    logits = query @ key.transpose(2, 3) / math.sqrt(WIDTH) + soft.log()[:, :, None]
    weights = logits.masked_fill(~CAUSAL, -math.inf).softmax(dim=3)
    expected = weights @ (value * soft[..., None])
    torch.testing.assert_close(gated_attention(query, key, value, CAUSAL, soft), expected, rtol=1e-4, atol=1e-5)


def test_a_cache_holds_what_was_added_and_not_forgotten() -> None:
    cache, held = KeyCache(HEADS, WIDTH, noise(1)), {}
    for t in range(0, 300, 3):
        frames = [t, t + 1] if t % 2 else [t]
        keys = noise(HEADS, len(frames), WIDTH, seed=t)
        cache.add(torch.stack([keys, 2 * keys]), torch.tensor(frames), frames)
        held.update({frame: keys[:, i] for i, frame in enumerate(frames)})
        cache.forget(t - 20)
        held = {frame: k for frame, k in held.items() if frame >= t - 20}
        assert cache.times.tolist() == list(held)
        assert torch.equal(cache.pairs[0], torch.stack(list(held.values()), dim=1))
        assert torch.equal(cache.pairs[1], 2 * cache.pairs[0])
    assert cache.frames.shape[0] <= 4 * len(held)


@pytest.mark.parametrize("n", [1, 100])
def test_a_cache_that_forgets_everything_is_empty(n: int) -> None:
    cache = KeyCache(1, WIDTH, noise(1))
    cache.add(noise(2, 1, n, WIDTH), torch.arange(n), list(range(n)))
    cache.forget(n)
    assert len(cache) == 0
    assert cache.pairs.shape == (2, 1, 0, WIDTH)


@pytest.mark.parametrize("width", [5, 8])
def test_many_frames_are_turned_as_a_few_are(width: int) -> None:
    """The two ways of exchanging halves, by size."""
    rotary, x, times = Rotary(width), noise(2, 1200, width), torch.arange(1200)
    few = [rotary(part, rotary.at(when)) for part, when in zip(x.split(100, dim=1), times.split(100), strict=True)]
    assert torch.equal(rotary(x, rotary.at(times)), torch.cat(few, dim=1))
    torch.testing.assert_close(rotary.turn_(x.clone(), rotary.at(times)), rotary(x, rotary.at(times)))
