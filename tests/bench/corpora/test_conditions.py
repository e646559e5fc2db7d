from __future__ import annotations

import numpy as np
import pytest
from corpus_files import sine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import welch

from earmark.bench.api import InputError
from earmark.bench.corpora.conditions import active_samples, apply_condition, parse_condition, speech_shaped_noise


def spoken(n_silent: int = 3_200) -> NDArray[np.float32]:
    """A tone of half a second between two silences, away from full scale."""
    silence = np.zeros(n_silent)
    return np.concatenate([silence, sine(16_000, amplitude=0.05), silence]).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(-10, 40), st.integers(0, 3), st.sampled_from([0, 320, 3_200]))
def test_the_ratio_over_active_speech_is_the_one_asked_for(snr_db: int, seed: int, n_silent: int) -> None:
    speech = spoken(n_silent)
    heard = apply_condition(speech, f"snr{snr_db}", utterance_id="u", seed=seed).astype(np.float64)
    # both may have been turned down together: find how much of each is in the sum
    noise_shape = speech_shaped_noise(len(speech), f"{seed}|snr{snr_db}|u")
    basis = np.stack([speech.astype(np.float64), noise_shape], axis=1)
    (a, b), *_ = np.linalg.lstsq(basis, heard, rcond=None)
    active = slice(n_silent, n_silent + 8_000)
    ratio = np.sum((a * speech[active].astype(np.float64)) ** 2) / np.sum((b * noise_shape[active]) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.01)
    assert np.abs(heard).max() <= 1.0


def test_padding_does_not_dilute_the_speech() -> None:
    assert active_samples(spoken().astype(np.float64)).sum() == 8_000
    assert not active_samples(np.zeros(1_000)).any()


def test_clean_is_untouched_and_noise_is_repeatable() -> None:
    speech = spoken()
    assert apply_condition(speech, "clean", utterance_id="u") is speech
    first = apply_condition(speech, "snr10", utterance_id="u")
    assert first.dtype == np.float32
    assert np.array_equal(first, apply_condition(speech, "snr10", utterance_id="u"))
    for other in ({"utterance_id": "v"}, {"utterance_id": "u", "seed": 1}):
        assert not np.array_equal(first, apply_condition(speech, "snr10", **other))


def test_silence_and_one_sample_survive() -> None:
    silence = np.zeros(500, dtype=np.float32)
    assert np.array_equal(apply_condition(silence, "snr0", utterance_id="u"), silence)
    assert np.isfinite(apply_condition(np.array([0.1], dtype=np.float32), "snr0", utterance_id="u")).all()


def test_noise_has_the_stated_spectrum() -> None:
    frequency, power = welch(speech_shaped_noise(320_000, "spectrum"), 16_000, nperseg=2_048)

    def level(hz: float) -> float:
        return float(10 * np.log10(power[np.abs(frequency - hz).argmin()]))

    assert level(1_500) - level(3_000) == pytest.approx(6, abs=1.5), "6 dB an octave above"
    assert abs(level(180) - level(350)) < 3, "flat in between"
    assert level(200) - level(16) > 6, "falling below"


@pytest.mark.parametrize(
    ("name", "snr_db"), [("clean", None), ("snr10", 10.0), ("snr0", 0.0), ("snr-5", -5.0), ("snr2.5", 2.5)]
)
def test_names_of_conditions(name: str, snr_db: float | None) -> None:
    assert parse_condition(name) == snr_db


@pytest.mark.parametrize("name", ["noisy", "snr", "snr+5", "snr1e3", "snr100", "snr10dB", "Clean", ""])
def test_unknown_conditions_come_with_examples(name: str) -> None:
    with pytest.raises(InputError, match="unknown condition") as caught:
        parse_condition(name)
    assert "snr10" in str(caught.value)
