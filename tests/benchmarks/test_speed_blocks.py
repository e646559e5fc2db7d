"""How long the parts that models share take, each alone. Run with ``pytest tests/benchmarks --benchmark-only``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from earmark.models._blocks.alignment import labels_by_frame
from earmark.models._blocks.attention import gated_attention
from earmark.models._blocks.augment import SpecAugment, WaveAugment
from earmark.models._blocks.conv import CausalConv1d, CausalConv2d, RunningSqueezeExcite
from earmark.models._blocks.frontend import FrontEndConfig, FrontEndStream, LogMelFrontEnd
from earmark.models._blocks.losses import masking_loss
from earmark.models._blocks.separation import SeparatingEncoder, SeparationSizes

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CHUNK, SECONDS = 1_920, 10  # 120 ms and a whole recording at 16 kHz
WIDTH, FRAMES = 256, 4

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(n: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(n).astype(np.float32)


@torch.inference_mode()
def test_the_front_end_hears_a_chunk(benchmark: BenchmarkFixture) -> None:
    stream = FrontEndStream(LogMelFrontEnd(FrontEndConfig()).eval())
    benchmark(stream.accept, noise(CHUNK))
    assert stream.n_frames > 0


@torch.inference_mode()
def test_the_front_end_of_a_batch(benchmark: BenchmarkFixture) -> None:
    front, n = LogMelFrontEnd(FrontEndConfig()).eval(), 16_000 * SECONDS
    frames, lengths = benchmark(front, torch.from_numpy(noise(8 * n)).view(8, n), torch.full((8,), n))
    assert frames.shape[:2] == (8, int(lengths[0]))


@pytest.mark.parametrize("groups", [1, WIDTH])
@torch.inference_mode()
def test_a_causal_convolution_steps(benchmark: BenchmarkFixture, groups: int) -> None:
    conv, x = CausalConv1d(WIDTH, WIDTH, 15, groups=groups).eval(), torch.randn(1, FRAMES, WIDTH)
    y, _ = benchmark(conv.step, x, conv.start(1))
    assert y.shape == x.shape


@torch.inference_mode()
def test_a_convolution_over_time_and_bands_steps(benchmark: BenchmarkFixture) -> None:
    conv, x = CausalConv2d(32, 32, 3, bands=64).eval(), torch.randn(1, 32, FRAMES, 64)
    y, _ = benchmark(conv.step, x, conv.start(1))
    assert y.shape == x.shape


@torch.inference_mode()
def test_squeeze_and_excite_steps(benchmark: BenchmarkFixture) -> None:
    block, x = RunningSqueezeExcite(WIDTH).eval(), torch.randn(1, FRAMES, WIDTH)
    y, _ = benchmark(block.step, x, block.start(1))
    assert y.shape == x.shape


@pytest.mark.parametrize("on", [1.0, 0.4])
@torch.inference_mode()
def test_gated_attention_of_256_frames(benchmark: BenchmarkFixture, on: float) -> None:
    query, key, value = torch.randn(3, 1, 4, 256, 64).unbind()
    gates = (torch.rand(1, 4, 256, generator=torch.Generator().manual_seed(0)) < on).float()
    allowed = torch.ones(256, 256, dtype=torch.bool).tril()
    assert benchmark(gated_attention, query, key, value, allowed, gates).shape == query.shape


@torch.inference_mode()
def test_two_channels_step(benchmark: BenchmarkFixture) -> None:
    encoder = SeparatingEncoder(192, SeparationSizes(3, 0, WIDTH, 2), WIDTH, dropout=0.0).eval()
    y, _ = benchmark(encoder.step, torch.randn(1, FRAMES, 192), encoder.start(1))
    assert y.shape == (2, FRAMES, WIDTH)


def test_the_masking_loss_and_its_gradient(benchmark: BenchmarkFixture) -> None:
    encoded, silent = torch.randn(16, 100, WIDTH, requires_grad=True), torch.rand(16, 100) < 0.5

    def learn() -> torch.Tensor:
        return torch.autograd.grad(masking_loss(encoded, silent).sum(), encoded)[0]

    assert benchmark(learn).isfinite().all()


def test_a_recording_is_augmented(benchmark: BenchmarkFixture) -> None:
    augment, samples = WaveAugment(noise_chance=1.0), noise(16_000 * SECONDS)
    assert len(benchmark(lambda: augment(samples, np.random.default_rng(0)))) > 0


def test_masks_are_drawn(benchmark: BenchmarkFixture) -> None:
    time, bands = benchmark(lambda: SpecAugment().draw(1000, 64, np.random.default_rng(0)))
    assert (len(time), len(bands)) == (40, 2)


def test_labels_are_put_on_frames(benchmark: BenchmarkFixture) -> None:
    timed = [(0.05 * k, 1 + k % 200) for k in range(200)]
    labels = benchmark(labels_by_frame, timed, n_frames=1000, frame_s=0.03, stretch=1.0)
    assert int((labels > 0).sum()) == 200
