"""How much time is saved by leaving out what is switched off: the paper's size, random weights, 40 % of the gates on.

An arbitrator of the paper's size decides, frame by frame; its threshold is set so that 40 % of its decisions are "on".
Beside it stands the same model with everything on and no arbitrator. Both are timed in turns on one thread;
``extra_info`` holds the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from turns import best_of_turns

from earmark.models.amortized.model import build

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from earmark.models.amortized.learning import AmortizedTransducer

PIECES = [" ", *(chr(0x4E00 + i) for i in range(4095))]
ON = 0.4
N_FRAMES = 256
N_ROUNDS = 20

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(n: int, width: int) -> Tensor:
    return torch.randn(1, n, width, generator=torch.Generator().manual_seed(0))


def sparing(kind: str) -> AmortizedTransducer:
    """A model whose gates are on for ``ON`` of what it is timed with."""
    model = build("paper", options={"arbitrator": kind}, vocabulary=PIECES, seed=0, device="cpu")
    torch.manual_seed(0)
    for decider in model.encoder.deciders:
        nn.init.normal_(decider.output.weight, std=4.0)
        nn.init.zeros_(decider.output.bias)
        width = model.front.config.width if decider.reads == "frames" else model.encoder.sizes.width
        with torch.inference_mode():
            decider.cut = float(decider.logits(noise(N_FRAMES, width)).quantile(1.0 - ON))
    return model


def dense() -> AmortizedTransducer:
    return build("paper", options={"gates": "dense"}, vocabulary=PIECES, seed=0, device="cpu")


def stepping(model: AmortizedTransducer, x: Tensor, k: int) -> Callable[[], None]:
    """Another chunk of ``k`` frames of a stream that goes on, begun anew after all frames."""
    at: dict[str, Any] = {"place": len(x[0])}

    def run() -> None:
        if at["place"] + k > len(x[0]):
            at.update(place=0, state=model.encoder.start(1))
        model.encoder.step(x[:, at["place"] : at["place"] + k], at["state"])
        at["place"] += k

    return run


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
    rates = {gate: np.mean([v for name, v in probes.items() if name.startswith(f"{gate}_on")]) for gate in
             ("query", "key", "ffn")}  # fmt: skip
    return {"ccr": ccr, **{f"{gate}_on": float(rate) for gate, rate in rates.items()}}


def compare(
    benchmark: BenchmarkFixture, runs: dict[str, Callable[[], None]], info: dict[str, Any], n_rounds: int
) -> None:
    best_of_turns(runs, 1)
    best = best_of_turns(runs, n_rounds if benchmark.enabled else 1)
    benchmark.extra_info.update(
        times_as_fast=best["dense"] / best["sparing"],
        **{f"{name}_ms": 1e3 * seconds for name, seconds in best.items()},
        **info,
    )
    benchmark(runs["sparing"])


@pytest.mark.parametrize("kind", ["single", "dual"])
@torch.inference_mode()
def test_encoder_steps_of_one_frame(benchmark: BenchmarkFixture, kind: str) -> None:
    """All frames one by one, so that every length of cache and every decision is in it."""
    few, all_on, x = sparing(kind), dense(), noise(N_FRAMES, 192)
    info = savings(few, x, 1)
    assert 0.35 < info["ccr"] < 0.75
    runs = {"sparing": streaming(few, x, 1), "dense": streaming(all_on, x, 1)}
    compare(benchmark, runs, info, 5)


@pytest.mark.parametrize("kind", ["single", "dual"])
@torch.inference_mode()
def test_encoder_offline(benchmark: BenchmarkFixture, kind: str) -> None:
    """256 frames at once; the dense form in its batched, masked way."""
    few, all_on, x, lengths = sparing(kind), dense(), noise(N_FRAMES, 192), torch.tensor([N_FRAMES])
    runs: dict[str, Callable[[], None]] = {
        "sparing": lambda: few.encoder(x, lengths), "dense": lambda: all_on.encoder(x, lengths),
    }  # fmt: skip
    compare(benchmark, runs, savings(few, x, N_FRAMES), N_ROUNDS)


@pytest.mark.parametrize("k", [1, 2, 4, 8, 16, 64])
@torch.inference_mode()
def test_chunk_sizes(benchmark: BenchmarkFixture, k: int) -> None:
    few, all_on, x = sparing("single"), dense(), noise(N_FRAMES, 192)
    runs = {"sparing": streaming(few, x, k), "dense": streaming(all_on, x, k)}
    compare(benchmark, runs, {"chunk_frames": k, **savings(few, x, k)}, 5)


@torch.inference_mode()
def test_the_whole_model(benchmark: BenchmarkFixture) -> None:
    """Front end, encoder and greedy search, in chunks of 120 ms of noise."""
    few, all_on = sparing("single"), dense()
    sound = np.random.default_rng(0).standard_normal(round(0.12 * 16_000)).astype(np.float32) * np.float32(0.1)

    def hearing(model: AmortizedTransducer) -> Callable[[], None]:
        with torch.no_grad():
            model.joint.output.bias[0] += 10.0  # random weights would talk without end

        def run() -> None:
            stream = model.stream()
            for _ in range(20):
                stream.accept(sound)

        return run

    runs = {"sparing": hearing(few), "dense": hearing(all_on)}
    compare(benchmark, runs, {"audio_s": 2.4}, 5)
