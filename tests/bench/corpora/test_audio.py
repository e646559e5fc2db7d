from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus_files import sine

from earmark.bench.api import InputError
from earmark.bench.corpora.audio import SAMPLE_RATE_HZ, decode, resample, sample_rate_hz


def row(path: Path) -> dict[str, Any]:
    return {"id": "u1", "audio": {"bytes": None, "path": str(path)}}


@pytest.mark.parametrize("container", ["wav", "flac"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sine_comes_out_as_the_sine_at_16_khz(tmp_path: Path, container: str, rate_hz: int, channels: int) -> None:
    tone = sine(rate_hz)
    # the second channel is three times as loud as the first: their mean is the tone
    samples = tone if channels == 1 else np.stack([0.5 * tone, 1.5 * tone], axis=1)
    path = tmp_path / f"a.{container}"
    soundfile.write(path, samples, rate_hz, subtype="PCM_24")
    heard = decode(row(path))
    assert heard.dtype == np.float32
    assert heard.shape == (8_000,)
    inner = slice(400, -400)  # the filter sees silence beyond the ends
    assert np.abs(heard[inner] - sine(SAMPLE_RATE_HZ)[inner]).max() < 2e-3


def test_embedded_bytes_are_the_same_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, sine(16_000), 16_000)
    embedded: dict[str, Any] = {"id": "u1", "audio": {"bytes": path.read_bytes(), "path": None}}
    assert np.array_equal(decode(embedded), decode(row(path)))
    assert sample_rate_hz(embedded["audio"]) == 16_000


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_sample_or_two_survive_resampling(n: int) -> None:
    for rate_hz in (8_000, 44_100, 192_000):
        assert len(resample(np.ones(n), rate_hz, SAMPLE_RATE_HZ)) >= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_never_reach_a_model(tmp_path: Path, value: float) -> None:
    path = tmp_path / "bad.wav"
    soundfile.write(path, np.array([0.0, value, 0.1]), 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match="NaN or infinite") as caught:
        decode(row(path))
    assert "'u1'" in str(caught.value)
    assert "bad.wav" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(("content", "said"), [(b"no audio at all", "no audio"), (b"", "no audio")])
def test_what_is_no_audio_is_an_input_error(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        decode(row(path))
    with pytest.raises(InputError, match="no audio"):
        decode(row(tmp_path / "missing.wav"))


def test_no_samples_is_an_input_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(0), 16_000)
    with pytest.raises(InputError, match="no samples"):
        decode(row(tmp_path / "x.wav"))


def test_a_cut_off_flac_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(path, noise, 16_000)
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(InputError, match=r"cut off|no audio"):
        decode(row(path))
