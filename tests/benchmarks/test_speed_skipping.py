"""How much time is saved by leaving out what is switched off: the paper's size, random weights, 40 % of the gates on.

An arbitrator of the paper's size decides, frame by frame; its biases are set so that each gate is on in 40 % of frames.
Beside it stands the same model with everything on and no arbitrator. Both run in turns on one thread, whose own time is
taken (other work on the machine still slows it down); ``extra_info`` holds the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from turns import best_of_turns

from earmark.models._blocks.transformer_encoder import GATES
from earmark.models.amortized.model import build

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from earmark.models.amortized.learning import AmortizedTransducer

PIECES = [" ", *(chr(0x4E00 + i) for i in range(4095))]
ON = 0.4
N_FRAMES, N_STREAMED, N_TRIED = 256, 64, 32
N_ROUNDS = 6

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(n: int, width: int = 192) -> Tensor:
    return torch.randn(1, n, width, generator=torch.Generator().manual_seed(0))


def sparing(kind: str) -> AmortizedTransducer:
    """A model each of whose gates is on for about ``ON`` of the frames that it is timed with."""
    model = build("paper", options={"arbitrator": kind}, vocabulary=PIECES, seed=0, device="cpu")
    torch.manual_seed(0)
    for decider in model.encoder.deciders:
        nn.init.normal_(decider.output.weight, std=4.0)
        width = model.front.config.width if decider.reads == "frames" else model.encoder.sizes.width
        with torch.inference_mode():
            decider.output.bias -= decider.logits(noise(N_FRAMES, width))[0].quantile(1.0 - ON, dim=0)
    return model


def dense() -> AmortizedTransducer:
    return build("paper", options={"gates": "dense"}, vocabulary=PIECES, seed=0, device="cpu")


def streaming(model: AmortizedTransducer, x: Tensor, k: int) -> Callable[[], None]:
    """All of ``x`` in chunks of ``k`` frames."""

    def run() -> None:
        state = model.encoder.start(1)
        for chunk in x.split(k, dim=1):
            model.encoder.step(chunk, state)

    return run


def savings(model: AmortizedTransducer, x: Tensor, k: int) -> dict[str, float]:
    """What is on and what is saved in multiply-accumulates, of ``x`` in chunks of ``k``."""
    state = model.encoder.start(1)
    for chunk in x.split(k, dim=1):
        model.encoder.step(chunk, state)
    probes = model.encoder.probes(state)
    ccr = 1.0 - sum(model.encoder.work(state).values()) / sum(model.encoder.dense_work(state).values())
    rates = {gate: [v for name, v in probes.items() if name.startswith(f"gate_rate_{gate}_")] for gate in GATES}
    return {"ccr": ccr, **{f"{gate}_on": sum(found) / len(found) for gate, found in rates.items()}}


def compare(benchmark: BenchmarkFixture, runs: dict[str, Callable[[], None]], info: dict[str, Any]) -> None:
    best_of_turns(runs, 1)
    best = best_of_turns(runs, N_ROUNDS if benchmark.enabled else 1, clock=thread_time)
    benchmark.extra_info.update(
        times_as_fast=best["dense"] / best["sparing"],
        **{f"{name}_ms": 1e3 * seconds for name, seconds in best.items()},
        **info,
    )
    benchmark.pedantic(runs["sparing"], rounds=3)


@pytest.mark.parametrize("kind", ["single", "dual"])
@torch.inference_mode()
def test_encoder_offline(benchmark: BenchmarkFixture, kind: str) -> None:
    """256 frames at once; the dense form in its batched, masked way."""
    few, all_on, x, lengths = sparing(kind), dense(), noise(N_FRAMES), torch.tensor([N_FRAMES])
    runs: dict[str, Callable[[], None]] = {
        "sparing": lambda: few.encoder(x, lengths), "dense": lambda: all_on.encoder(x, lengths),
    }  # fmt: skip
    info = savings(few, x, N_FRAMES)
    assert 0.4 < info["ccr"] < 0.7
    if kind == "single":  # what the second arbitrator reads is no noise
        assert all(abs(info[f"{gate}_on"] - ON) < 0.02 for gate in GATES)
    compare(benchmark, runs, info)


@pytest.mark.parametrize("k", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("kind", ["single", "dual"])
@torch.inference_mode()
def test_encoder_steps(benchmark: BenchmarkFixture, kind: str, k: int) -> None:
    """Chunks of ``k`` frames, from the start of a recording on: every length of cache and every decision is in it."""
    few, all_on, x = sparing(kind), dense(), noise(N_STREAMED if benchmark.enabled else N_TRIED)
    runs = {"sparing": streaming(few, x, k), "dense": streaming(all_on, x, k)}
    compare(benchmark, runs, {"chunk_frames": k, **savings(few, x, k)})


@torch.inference_mode()
def test_the_whole_model(benchmark: BenchmarkFixture) -> None:
    """Front end, encoder and greedy search, in chunks of 30 ms of noise."""
    sound = np.random.default_rng(0).standard_normal(480).astype(np.float32) * np.float32(0.1)

    def hearing(model: AmortizedTransducer) -> Callable[[], None]:
        with torch.no_grad():
            model.joint.output.bias[0] += 10.0  # random weights would talk without end

        def run() -> None:
            stream = model.stream()
            for _ in range(N_STREAMED if benchmark.enabled else N_TRIED):
                stream.accept(sound)

        return run

    compare(benchmark, {"sparing": hearing(sparing("single")), "dense": hearing(dense())}, {"chunk_s": 0.03})
