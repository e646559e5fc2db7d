"""What observers do alike: the draw of timed recordings, what is heard, and where there is no device."""

from __future__ import annotations

import numpy as np
import pytest
import tones

from earmark.bench.api import Unsupported
from earmark.bench.observe.settings import Settings, hear, require_device, timed_ids


def settings(condition: str = "clean") -> Settings:
    return Settings(
        cell="c", split="measure", condition=condition, seed=0, device="cpu", chunk_ms=100, pacing="virtual", passes=1
    )


def test_timed_recordings_are_the_same_in_any_order_and_nested() -> None:
    ids = [f"u{n}" for n in range(50)]
    ten, twenty = timed_ids(ids, 10), timed_ids(ids[::-1], 20)
    assert len(ten) == 10
    assert ten < twenty
    assert timed_ids(ids, None) == set(ids)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_a_recording_is_heard_at_the_rate_of_the_model(tmp_path: object, rate_hz: int) -> None:
    row = {"id": "u", "audio": {"path": None, "bytes": wav(tones.speak("la mi", 0))}, "extra": "{}"}
    heard = hear(row, settings(), rate_hz)
    assert heard.samples.dtype == np.float32
    assert heard.audio_s == pytest.approx(0.4)
    assert len(heard.samples) == 0.4 * rate_hz


def test_a_condition_is_the_same_each_time_and_differs_by_utterance() -> None:
    audio = {"path": None, "bytes": wav(tones.speak("la mi", 0))}
    one, again, other = (hear({"id": name, "audio": audio, "extra": "{}"}, settings("snr0"), 16_000) for name in "aab")
    assert np.array_equal(one.samples, again.samples)
    assert not np.array_equal(one.samples, other.samples)


def test_a_missing_device_is_unsupported_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    require_device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unsupported, match="no CUDA device"):
        require_device("cuda")


def wav(samples: object) -> bytes:
    import io

    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
