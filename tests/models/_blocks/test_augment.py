"""Random changes of recordings: what they may do, and that a seed repeats them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.models._blocks.augment import NONE, SpecAugment, WaveAugment, change_speed, colored_noise, kept


def tone(hz: float, n: int = 16_000) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(n) / 16_000).astype(np.float32)


def test_faster_is_shorter_and_higher() -> None:
    fast = change_speed(tone(400.0), 1.25)
    assert len(fast) == pytest.approx(12_800, abs=1)
    peak = np.fft.rfftfreq(len(fast), 1 / 16_000)[np.abs(np.fft.rfft(fast)).argmax()]
    assert peak == pytest.approx(500.0, abs=2.0)


def test_the_same_seed_changes_a_recording_in_the_same_way() -> None:
    change = WaveAugment()
    first, second = (change(tone(300.0), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first[:1000], change(tone(300.0), np.random.default_rng(6))[:1000])


def test_as_many_numbers_are_drawn_whatever_happens() -> None:
    states = []
    for change in (NONE, WaveAugment(noise_chance=1.0)):
        rng = np.random.default_rng(3)
        change(tone(300.0), rng)
        states.append(rng.random())
    assert states[0] == states[1]


def test_nothing_asked_nothing_done() -> None:
    assert np.array_equal(NONE(tone(300.0), np.random.default_rng(0)), tone(300.0))


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_noise_has_the_ratio_that_was_asked_for(snr: float) -> None:
    change = WaveAugment(speed=0.0, gain_db=0.0, noise_chance=1.0, snr_db=(snr, snr))
    noise = change(tone(300.0), np.random.default_rng(1)) - tone(300.0)
    measured = 10 * np.log10(np.mean(tone(300.0) ** 2) / np.mean(noise**2))
    assert measured == pytest.approx(snr, abs=0.01)


def test_tilted_noise_falls_by_6_db_an_octave() -> None:
    spectrum = np.abs(np.fft.rfft(colored_noise(2**16, 1.0, np.random.default_rng(0)))) ** 2
    low, high = spectrum[4096:8192].mean(), spectrum[8192:16384].mean()
    assert 10 * np.log10(low / high) == pytest.approx(6.0, abs=0.5)


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_masks_stay_inside_and_below_their_width(n_frames: int, seed: int) -> None:
    time, bands = SpecAugment().draw(n_frames, 64, np.random.default_rng(seed))
    assert len(bands) == 2
    assert len(time) == round(0.04 * n_frames)
    assert all(0 <= first <= behind <= 64 and behind - first <= 22 for first, behind in bands)
    assert all(
        0 <= first <= behind <= n_frames and behind - first <= max(1, round(0.04 * n_frames)) for first, behind in time
    )


def test_kept_is_false_in_the_stretches() -> None:
    assert kept([[(1, 3)], []], 4).tolist() == [[True, False, False, True], [True] * 4]
