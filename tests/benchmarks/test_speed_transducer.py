"""How long the parts of a transducer take, on one thread. Run with ``pytest tests/benchmarks --benchmark-only``.

The streaming step is set beside ``nn.LSTMCell`` and beside its roofline, the time it takes to read the weights once.
They are timed in turns, so that whatever else the machine does falls on all of them; ``extra_info`` holds the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from turns import READ_BYTES, best_of_turns

from earmark.models._blocks.beam import BeamSearch
from earmark.models._blocks.recurrent import StreamingLSTM
from earmark.models._blocks.search import batched_greedy, greedy, greedy_start
from earmark.models._blocks.transducer import Joint, Predictor, transducer_loss

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

HIDDEN, LAYERS = 640, 7  # the RNN-T baseline of ConvRNN-T, section 4
JOINT, N_LABELS, EMBEDDING = 512, 2500, 256
N_ROUNDS = 20

pytestmark = pytest.mark.usefixtures("one_thread")


def by_cells(cells: list[nn.LSTMCell], x: Tensor, state: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """The same step with torch's own cell, a frame at a time."""
    for frame in x.unbind(dim=1):
        after = []
        for cell, before in zip(cells, state, strict=True):
            h, c = cell(frame, before)
            frame = h
            after.append((h, c))
        state = after
    return state


@pytest.mark.parametrize("k", [1, 2, 4])
@torch.inference_mode()
def test_a_streaming_step_of_the_paper_size(benchmark: BenchmarkFixture, k: int) -> None:
    model = StreamingLSTM(HIDDEN, HIDDEN, LAYERS).eval()
    cells = [nn.LSTMCell(HIDDEN, HIDDEN) for _ in range(LAYERS)]
    x, state, memory = torch.randn(1, k, HIDDEN), model.start(1), torch.randn(2, READ_BYTES // 8)
    runs: dict[str, Callable[[], object]] = {
        "step": lambda: model.step(x, state),
        "cells": lambda: by_cells(cells, x, list(state)),
        "read": lambda: torch.dot(memory[0], memory[1]),
    }
    best_of_turns(runs, 2)
    best = best_of_turns(runs, N_ROUNDS if benchmark.enabled else 1)
    weight_bytes = 4 * model.macs(1)
    read_bytes_per_s = READ_BYTES / best["read"]
    roofline_s = weight_bytes / read_bytes_per_s
    benchmark.extra_info.update(
        read_gb_per_s=read_bytes_per_s / 1e9,
        roofline_ms=1e3 * roofline_s,
        step_ms=1e3 * best["step"],
        cells_ms=1e3 * best["cells"],
        ratio_to_roofline=best["step"] / roofline_s,
        ratio_to_cells=best["step"] / best["cells"],
    )
    assert weight_bytes == 4 * LAYERS * 8 * HIDDEN**2
    benchmark(runs["step"])


@pytest.mark.parametrize("fastemit", [0.0, 0.01])
def test_the_loss_and_its_gradient(benchmark: BenchmarkFixture, fastemit: float) -> None:
    """16 rows of 60 frames and 20 labels, 500 pieces."""
    logits = torch.randn(16, 60, 21, 500, requires_grad=True)
    targets, n_frames, n_labels = torch.randint(1, 500, (16, 20)), torch.full((16,), 60), torch.full((16,), 20)

    def learn() -> Tensor:
        loss = transducer_loss(logits, targets, n_frames, n_labels, fastemit=fastemit).mean()
        return torch.autograd.grad(loss, logits)[0]

    assert benchmark(learn).isfinite().all()


def talkers(share: float = 0.2) -> tuple[Predictor, Joint, Tensor]:
    """An untrained pair of the paper's size and 32 encodings of 100 frames, on which it speaks at ``share`` of them."""
    torch.manual_seed(0)
    predictor, joint = Predictor(N_LABELS, EMBEDDING, HIDDEN, JOINT).eval(), Joint(JOINT, N_LABELS)
    encoded = torch.randn(32, 100, JOINT)
    scores = joint.step(encoded[0], predictor.start(1)[0])
    ahead = scores[:, 1:].amax(dim=1) - scores[:, 0]
    joint.output.bias[0] += torch.quantile(ahead, 1.0 - share)
    return predictor, joint, encoded


@torch.inference_mode()
def test_greedy_search_of_a_hundred_frames(benchmark: BenchmarkFixture) -> None:
    """In chunks of four frames, 120 ms, as a stream hears them."""
    predictor, joint, encoded = talkers()

    def search() -> int:
        state, n_said = greedy_start(predictor), 0
        for chunk in encoded[0].split(4):
            said, state, _, _ = greedy(predictor, joint, chunk, state, max_symbols=3)
            n_said += len(said)
        return n_said

    benchmark.extra_info["labels"] = benchmark(search)
    assert benchmark.extra_info["labels"] > 0


@torch.inference_mode()
def test_batched_greedy_search_of_32_recordings(benchmark: BenchmarkFixture) -> None:
    predictor, joint, encoded = talkers()
    lengths = torch.arange(69, 101)
    said = benchmark(batched_greedy, predictor, joint, encoded, lengths, max_symbols=3)
    benchmark.extra_info["labels"] = sum(map(len, said))
    assert benchmark.extra_info["labels"] > 0


@torch.inference_mode()
def test_beam_search_of_a_hundred_frames(benchmark: BenchmarkFixture) -> None:
    predictor, joint, encoded = talkers()

    def search() -> BeamSearch:
        beam = BeamSearch(predictor, joint, 4, 3)
        beam.advance(encoded[0])
        return beam

    beam = benchmark.pedantic(search, rounds=3)  # type: ignore[no-untyped-call]
    benchmark.extra_info.update(labels=len(beam.best), joint_steps=beam.n_joint, predictor_steps=beam.n_predictor)
    assert beam.n_frames == 100
