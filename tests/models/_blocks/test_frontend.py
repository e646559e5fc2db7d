"""The streaming front end gives the frames of the offline one, and normalizes by what training has seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.models._blocks.frontend import FrontEndConfig, FrontEndStream, LogMelFrontEnd, RunningNorm

CONFIG = FrontEndConfig(n_mels=8, stack=3)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def front_end(config: FrontEndConfig = CONFIG) -> LogMelFrontEnd:
    front = LogMelFrontEnd(config).train()
    front(torch.from_numpy(noise(32_000, 9))[None], torch.tensor([32_000]))
    return front.eval()


def streamed(front: LogMelFrontEnd, samples: np.ndarray, cuts: list[int]) -> torch.Tensor:
    stream = FrontEndStream(front)
    parts = [stream.accept(part) for part in np.split(samples, cuts) if len(part)]
    return torch.cat([part for part in (*parts, stream.finish()) if part is not None], dim=1)


@given(st.integers(1, 9000), st.lists(st.integers(1, 8999), max_size=6), st.sampled_from([0.0, 0.5]))
@settings(max_examples=40, deadline=None)
def test_streaming_equals_offline_whatever_the_chunks(n: int, cuts: list[int], prior_s: float) -> None:
    front = front_end(FrontEndConfig(n_mels=8, stack=3, prior_s=prior_s))
    samples = noise(n)
    offline, lengths = front(torch.from_numpy(samples)[None], torch.tensor([n]))
    online = streamed(front, samples, sorted({cut for cut in cuts if cut < n}))
    assert online.shape[1] == int(lengths[0]) >= 1
    torch.testing.assert_close(online, offline[:, : online.shape[1]], rtol=1e-4, atol=1e-4)


def test_padding_changes_no_frame() -> None:
    front, short, long = front_end(), noise(5000), noise(9000, 1)
    alone, _ = front(torch.from_numpy(short)[None], torch.tensor([5000]))
    batch = torch.zeros(2, 9000)
    batch[0, :5000], batch[1] = torch.from_numpy(short), torch.from_numpy(long)
    both, lengths = front(batch, torch.tensor([5000, 9000]))
    n = int(lengths[0])
    torch.testing.assert_close(both[0, :n], alone[0, :n], rtol=1e-5, atol=1e-5)


def test_norm_brings_what_it_saw_to_mean_0_and_deviation_1() -> None:
    norm, x = RunningNorm(4), 3.0 + 2.0 * torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([50, 20])
    norm.see(x, lengths)
    seen = torch.cat([norm(x)[0], norm(x)[1, :20]])
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(dim=0, unbiased=False), torch.ones(4), atol=1e-4, rtol=0)


def test_norm_is_the_identity_before_it_has_seen_anything_and_adds_up_over_batches() -> None:
    x = torch.randn(1, 30, 4, generator=torch.Generator().manual_seed(1))
    once, twice = RunningNorm(4), RunningNorm(4)
    assert torch.equal(once(x), x)
    once.see(x, torch.tensor([30]))
    twice.see(x[:, :10], torch.tensor([10]))
    twice.see(x[:, 10:], torch.tensor([20]))
    torch.testing.assert_close(once(x), twice(x))


def test_evaluation_learns_nothing() -> None:
    front = front_end()
    before = front.norm.count.item()
    front(torch.from_numpy(noise(8000))[None], torch.tensor([8000]))
    assert front.norm.count.item() == before


def test_a_frame_never_claims_audio_that_was_not_heard() -> None:
    front, fed = front_end(), 0
    stream = FrontEndStream(front)
    for part in np.split(noise(6000), range(500, 6000, 500)):
        fed += len(part)
        if (frames := stream.accept(part)) is not None:
            last = stream.n_frames - 1
            assert stream.time_s(last) <= fed / 16_000
            assert frames.shape[-1] == CONFIG.width
    stream.finish()
    assert stream.time_s(stream.n_frames - 1) == pytest.approx(6000 / 16_000)


def test_macs_are_those_of_the_mel_product() -> None:
    assert front_end().macs(2) == 2 * 3 * 201 * 8
