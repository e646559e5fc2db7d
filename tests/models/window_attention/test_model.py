"""The sliding window: how far it looks back, what it keeps, and what it costs beside attention to everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from earmark.bench.api import CountsDenseWork, GrowingWork, InputError, Recognizer, Transcribes
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.attending import AttendingTransducer
from earmark.models._blocks.transformer import TransformerSizes
from earmark.models._blocks.transformer_encoder import TransformerEncoder
from earmark.models.window_attention.model import build

SIZES = TransformerSizes(stack=6, width=20, blocks=3, heads=4, ffn=24)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def encoder(window: int) -> TransformerEncoder:
    torch.manual_seed(0)
    return TransformerEncoder(12, SIZES, 8, dropout=0.1, context=window + 1, dense_context=1000).eval()


def model(**options: Any) -> AttendingTransducer:
    return build("tiny", options=options, vocabulary=None, seed=0, device="cpu")


@pytest.mark.parametrize("window", [0, 2, 5])
def test_each_block_looks_back_over_the_window_and_not_farther(window: int) -> None:
    x = noise(1, 40, 12).requires_grad_()
    encoder(window).masked(x, torch.tensor([40]))[0][0, 30].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(dim=1).nonzero()[:, 0]
    assert (int(heard.min()), int(heard.max())) == (30 - SIZES.blocks * window, 30)


@pytest.mark.parametrize("cuts", [list(range(1, 40)), [], [1, 2, 3], [7], [4, 5, 11, 30]])
@pytest.mark.parametrize("window", [0, 2, 5, 100])
def test_chunks_of_any_size_give_the_whole(window: int, cuts: list[int]) -> None:
    small, x = encoder(window), noise(2, 40, 12)
    with torch.inference_mode():
        state, outputs = small.start(2), []
        for part in x.tensor_split(cuts, dim=1):
            y, state = small.step(part, state)
            outputs.append(y)
        whole = small(x, torch.tensor([40, 40]))
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole, rtol=1e-4, atol=1e-5)


def test_caches_hold_the_window() -> None:
    small, x = encoder(5), noise(1, 300, 12)
    with torch.inference_mode():
        state = small.start(1)
        for part in x.split(7, dim=1):
            small.step(part, state)
    assert [list(cache.held) for (cache,) in state[0].caches] == [[295, 296, 297, 298, 299]] * SIZES.blocks
    assert all(cache.frames.shape[0] <= 64 for (cache,) in state[0].caches)


def test_a_wide_window_is_attention_to_everything() -> None:
    x, lengths = noise(1, 40, 12), torch.tensor([40])
    torch.testing.assert_close(encoder(39)(x, lengths), encoder(500)(x, lengths))
    assert not torch.allclose(encoder(5)(x, lengths), encoder(500)(x, lengths))


def test_it_counts_what_ran_and_what_attention_to_everything_would_take() -> None:
    made, sound = model(), 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    stream = made.stream()

    def run() -> None:
        for chunk in np.array_split(sound, 40):
            stream.accept(chunk)

    counted = count_macs(run)
    work, dense = stream.work(), stream.dense_work()
    assert counted.macs == sum(work.values()) - made.predictor.macs(1)  # its first step was at the start
    assert {part for part in dense if dense[part] != work[part]} == {"attention"}
    n, width = stream.n_frames, 4 * 120
    assert work["attention"] == sum(2 * width * min(t, 11) for t in range(1, n + 1))
    assert dense["attention"] == sum(2 * width * t for t in range(1, n + 1))


def test_it_is_a_recognizer_whose_work_does_not_grow() -> None:
    made = model()
    assert isinstance(made, Recognizer)
    assert isinstance(made, Transcribes)
    assert isinstance(made.stream(), CountsDenseWork)
    assert isinstance(made, GrowingWork)
    assert not made.work_grows
    with pytest.raises(InputError, match="option 'window' is -1"):
        model(window=-1)
