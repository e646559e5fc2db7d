from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.bench.api import CountsWork, InputError, Samples, SpeakerEmbedder
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.mel import mel_filters
from earmark.models.log_mel_statistics.model import FLOOR, Statistics, build


def noise(n: int, seed: int = 0) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def built(**options: int | bool) -> Statistics:
    return build("default", options=options, vocabulary=None, seed=0, device="cpu")


def test_the_numbers_are_means_and_deviations_of_log_mels() -> None:
    """Straight from the definition, in numpy: Hamming windows of 25 ms every 10 ms, mel power, natural log."""
    samples = noise(1000)
    frames = np.stack([samples[i : i + 200] for i in range(0, 801, 80)]).astype(np.float64)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(200) / 200)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    filters = mel_filters(sample_rate_hz=8000, n_fft=200, n_mels=40).numpy().astype(np.float64)
    log_mels = np.log(power @ filters + FLOOR)
    expected = np.concatenate([log_mels.mean(axis=0), log_mels.std(axis=0)])
    np.testing.assert_allclose(built().embed(samples[None], np.array([1000]))[0], expected, atol=1e-4)


def test_without_the_level_loudness_says_nothing() -> None:
    samples = noise(8000)
    both = np.stack([samples, 3 * samples])
    plain, level_free = (built(keep_level=kept).embed(both, np.array([8000, 8000])) for kept in (True, False))
    assert np.abs(plain[0, :40] - plain[1, :40]).min() > 2  # 2 ln 3
    np.testing.assert_allclose(level_free[0], level_free[1], atol=2e-3)  # but for the floor


def test_rows_come_from_their_valid_samples_alone() -> None:
    model, first, second = built(), noise(4000, 1), noise(2500, 2)
    batch = np.full((2, 4000), np.nan, dtype=np.float32)
    batch[0], batch[1, :2500] = first, second
    together = model.embed(batch, np.array([4000, 2500]))
    for row, samples in zip(together, (first, second), strict=True):
        assert np.array_equal(row, model.embed(samples[None], np.array([len(samples)]))[0])


@pytest.mark.parametrize("samples", [noise(1), noise(199), np.zeros(8000, dtype=np.float32)])
def test_little_or_no_sound_gives_finite_numbers(samples: Samples) -> None:
    found = built().embed(samples[None], np.array([len(samples)]))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) > 0


def test_it_counts_its_work() -> None:
    model = built(n_mels=24, sample_rate_hz=16_000)
    assert isinstance(model, SpeakerEmbedder)
    assert isinstance(model, CountsWork)
    counted = count_macs(lambda: model.embed(noise(16_000)[None], np.array([16_000])))
    assert model.work() == {"front_end": 98 * 201 * 24} == {"front_end": counted.macs}
    assert (model.info.sample_rate_hz, model.info.n_parameters) == (16_000, 0)


@pytest.mark.parametrize("options", [{"n_mels": 1}, {"sample_rate_hz": 44_100}, {"mels": 40}])
def test_what_it_can_not_do_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="log_mel_statistics"):
        built(**options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED: no CUDA device")
def test_the_device_changes_nothing() -> None:
    samples = noise(8000)[None]
    there = build("default", options={}, vocabulary=None, seed=0, device="cuda").embed(samples, np.array([8000]))
    np.testing.assert_allclose(there, built().embed(samples, np.array([8000])), atol=1e-4)
