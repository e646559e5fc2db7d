"""The front end against closed forms and a NumPy implementation written from librosa's documentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.models._blocks.mel import MelPower, hz_to_mel, mel_filters, mel_to_hz

SAMPLE_RATE_HZ, N_FFT, HOP, N_MELS = 16_000, 400, 160, 40


@pytest.mark.parametrize(("hz", "mel"), [(0, 0), (200 / 3, 1), (500, 7.5), (1000, 15), (6400, 42), (6400 * 6.4, 69)])
def test_slaney_scale_at_its_anchors(hz: float, mel: float) -> None:
    assert hz_to_mel(hz) == pytest.approx(mel)
    assert mel_to_hz(mel) == pytest.approx(hz)


def _numpy_filters() -> np.ndarray:
    """(bins, n_mels) by interpolation: each filter is 0, 2 / width, 0 at its three corners."""
    top = 15 + 27 * np.log(8) / np.log(6.4)  # 8 kHz
    mels = np.linspace(0, top, N_MELS + 2)
    hz = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.arange(N_FFT // 2 + 1) * SAMPLE_RATE_HZ / N_FFT
    rows = [np.interp(bins, hz[m : m + 3], [0, 2 / (hz[m + 2] - hz[m]), 0]) for m in range(N_MELS)]
    return np.stack(rows, axis=1)


def test_filters_equal_interpolated_triangles() -> None:
    ours = mel_filters(sample_rate_hz=SAMPLE_RATE_HZ, n_fft=N_FFT, n_mels=N_MELS)
    np.testing.assert_allclose(ours.numpy(), _numpy_filters(), atol=1e-8)


def test_every_filter_has_area_one() -> None:
    filters = mel_filters(sample_rate_hz=SAMPLE_RATE_HZ, n_fft=16_384, n_mels=8).double()
    areas = filters.sum(dim=0) * SAMPLE_RATE_HZ / 16_384
    torch.testing.assert_close(areas, torch.ones(8, dtype=torch.float64), atol=1e-4, rtol=0)


def _mel() -> MelPower:
    return MelPower(sample_rate_hz=SAMPLE_RATE_HZ, n_fft=N_FFT, hop=HOP, n_mels=N_MELS)


def test_power_equals_the_squared_discrete_fourier_sum() -> None:
    samples = np.random.default_rng(0).standard_normal(N_FFT + 3 * HOP)
    n = np.arange(N_FFT)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / N_FFT)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(N_FFT // 2 + 1), n) / N_FFT)  # (bins, n_fft)
    frames = np.stack([samples[i * HOP : i * HOP + N_FFT] * window for i in range(4)])
    expected = np.abs(frames @ waves.T) ** 2 @ _numpy_filters()
    ours = _mel()(torch.tensor(samples, dtype=torch.float32)[None])[0]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=2e-4)


def test_a_stretch_gives_the_frames_of_the_whole() -> None:
    samples = torch.randn(1, N_FFT + 9 * HOP, generator=torch.Generator().manual_seed(0))
    whole = _mel()(samples)
    part = _mel()(samples[:, 3 * HOP : 6 * HOP + N_FFT])
    assert whole.shape == (1, 10, N_MELS)
    torch.testing.assert_close(part, whole[:, 3:7])


def test_macs_are_the_matrix_product() -> None:
    assert _mel().macs(7) == 7 * 201 * 40
