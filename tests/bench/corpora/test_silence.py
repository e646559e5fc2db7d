"""Silence at the ends of training recordings goes, and words keep their places in what is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tones

from earmark.bench.corpora.load import load_corpus
from earmark.bench.corpora.silence import without_silence
from earmark.bench.training.data import load

RATE = 16_000


def recording(lead_s: float, speech_s: float, tail_s: float, noise: float = 1e-4) -> np.ndarray:
    rng = np.random.default_rng(0)
    parts = [np.zeros(round(lead_s * RATE)), np.full(round(speech_s * RATE), 0.3), np.zeros(round(tail_s * RATE))]
    sound = np.concatenate(parts) * rng.choice([-1.0, 1.0], sum(map(len, parts)))
    return (sound + noise * rng.standard_normal(len(sound))).astype(np.float32)


@pytest.mark.parametrize("keep_s", [0.0, 0.3])
@pytest.mark.parametrize("level", [1.0, 0.1])
def test_what_is_kept_begins_and_ends_near_the_speech(keep_s: float, level: float) -> None:
    """Speech at -10 and at -30 dBFS over noise 70 dB below it."""
    kept = without_silence(level * recording(1.0, 1.5, 2.0), RATE, keep_s)
    assert kept.start / RATE == pytest.approx(1.0 - keep_s, abs=0.06)
    assert kept.stop / RATE == pytest.approx(2.5 + keep_s, abs=0.06)


@pytest.mark.parametrize(
    "samples", [np.zeros(RATE, np.float32), np.zeros(7, np.float32), recording(0.0, 1.0, 0.0), recording(0.4, 1.0, 0.4)]
)
def test_where_nothing_can_go_all_stays(samples: np.ndarray) -> None:
    assert without_silence(samples, RATE, 0.5) == slice(0, len(samples))


def test_words_and_durations_are_those_of_what_is_left(tmp_path: Path) -> None:
    folder = tones.write_tones(tmp_path / "tones", 2)
    rows = [dict(row) for row in load_corpus(str(folder), cache=tmp_path, progress=lambda *_: None).rows][:2]
    sound = recording(1.0, 0.5, 2.0)
    for row in rows:
        soundfile.write(tmp_path / f"{row['id']}.wav", sound, RATE)
        row["audio"] = {"bytes": None, "path": str(tmp_path / f"{row['id']}.wav")}
        row["words"] = [{"word": "x", "start": 1.0, "end": 1.5}]

    def loaded(silence_s: float | None) -> tuple[float, int, float, float]:
        data = load(rows, rate_hz=RATE, cache=tmp_path, key="unit", progress=lambda *_: None, silence_s=silence_s)
        example = data.example(1)
        (word,) = example.turns[0].words
        return data.durations[1], len(example.samples), word.start_s, word.end_s

    assert loaded(None) == (3.5, len(sound), 1.0, 1.5)
    duration_s, n_samples, start_s, end_s = loaded(0.2)
    assert (duration_s, start_s) == pytest.approx((0.9, 0.2), abs=0.13)
    assert n_samples == round(duration_s * RATE)
    assert end_s - start_s == pytest.approx(0.5)
    for row in rows:  # a soft beginning and end, which only the one who timed them heard
        row["words"] = [{"word": "x", "start": 0.5, "end": 2.0}]
    duration_s, _, start_s, end_s = loaded(0.0)
    assert (duration_s, start_s, end_s) == pytest.approx((1.5, 0.0, 1.5))
