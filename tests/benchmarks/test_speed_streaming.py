"""How long a streaming step of each model of the paper's size takes, on one thread, with random weights.

A step is 120 ms of sound: front end, encoder and greedy search. Beside it stand the encoder's recurrent layers, where
it has some, made of ``nn.LSTMCell``, and its roofline: the time to read its weights once or to do its
multiply-accumulates at the rate of a large matrix product, whichever is longer. All are timed in turns; ``extra_info``
holds the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from turns import READ_BYTES, best_of_turns

from earmark.models.conformer.model import build as build_conformer
from earmark.models.contextnet.model import build as build_contextnet
from earmark.models.convrnnt.model import build as build_convrnnt
from earmark.models.rnnt.model import build as build_rnnt

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from earmark.models._blocks.recognizer import Transducer

MODELS = {
    "rnnt": build_rnnt, "convrnnt": build_convrnnt, "conformer": build_conformer, "contextnet": build_contextnet,
}  # fmt: skip
CHUNK_S = 0.12
PIECES = [" ", *(chr(0x4E00 + i) for i in range(2498))]
PRODUCT = 1024
N_ROUNDS = 20

pytestmark = pytest.mark.usefixtures("one_thread")


def by_cells(model: Transducer, frames: int) -> Callable[[], None]:
    """The encoder's recurrent layers with torch's own cells, a frame at a time, projections included."""
    layers = list(model.encoder.lstm.layers)
    cells = [nn.LSTMCell(*layer.lstm.weight_input.shape[:1], layer.lstm.hidden) for layer in layers]
    projections = [nn.Linear(*layer.projection.weight.shape) for layer in layers]
    x = torch.randn(frames, 1, cells[0].input_size)

    def run() -> None:
        states: list[Any] = [None] * len(cells)
        for frame in x:
            heard: Tensor = frame
            for i, (cell, projection) in enumerate(zip(cells, projections, strict=True)):
                states[i] = cell(heard, states[i])
                heard = projection(states[i][0])

    return run


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_a_streaming_step_of_the_paper_size(benchmark: BenchmarkFixture, name: str) -> None:
    model = MODELS[name]("paper", options={}, vocabulary=PIECES, seed=0, device="cpu")
    with torch.no_grad():
        model.joint.output.bias[0] += 10.0  # random weights would talk without end
    stream, n = model.stream(), round(CHUNK_S * model.info.sample_rate_hz)
    sound = np.random.default_rng(0).standard_normal(n).astype(np.float32) * np.float32(0.1)
    frames = round(CHUNK_S / model.front.config.frame_s)
    x, state = torch.randn(1, frames, model.front.config.width), model.encoder.start(1)
    square, memory = torch.randn(PRODUCT, PRODUCT), torch.randn(2, READ_BYTES // 8)
    runs: dict[str, Callable[[], object]] = {
        "step": lambda: stream.accept(sound),
        "encoder": lambda: model.encoder.step(x, state),
        "read": lambda: torch.dot(memory[0], memory[1]),
        "product": lambda: square @ square,
    }
    if hasattr(model.encoder, "lstm"):
        runs["cells"] = by_cells(model, frames)
    best_of_turns(runs, 2)
    best = best_of_turns(runs, N_ROUNDS if benchmark.enabled else 1)
    macs = sum(model.encoder.macs_by_part(frames).values())
    weight_bytes = 4 * sum(p.numel() for p in model.encoder.parameters())
    by_memory = weight_bytes / (READ_BYTES / best["read"])
    by_compute = macs / (PRODUCT**3 / best["product"])
    roofline_s = max(by_memory, by_compute)
    benchmark.extra_info.update(
        real_time_factor=best["step"] / CHUNK_S,
        step_ms=1e3 * best["step"],
        encoder_ms=1e3 * best["encoder"],
        roofline_ms=1e3 * roofline_s,
        bound_by="memory" if by_memory > by_compute else "compute",
        share_of_roofline=roofline_s / best["encoder"],
        **({"encoder_to_its_lstm_in_cells": best["encoder"] / best["cells"]} if "cells" in best else {}),
        encoder_mmacs=macs / 1e6,
    )
    assert stream.n_frames > 0
    assert macs > weight_bytes / 4 * 0.9 * frames
    benchmark(runs["step"])
