"""A corpus of tones and models that hear them, small enough to compute every score by hand.

A word is a tone of 0.2 s: ``la`` 500 Hz, ``mi`` 1000 Hz, ``so`` 1500 Hz. Speakers of accent ``b`` say ``so`` at
1000 Hz, so the recognizer hears ``mi``. Each speaker also hums at a pitch of their own, by which the embedder knows
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earmark.bench.api import (
    Array,
    Condition,
    InputError,
    Json,
    Lengths,
    ModelInfo,
    ModelSpec,
    Samples,
    Token,
    Unsupported,
    Update,
)

RATE_HZ = 16_000
WORD = 3_200
TONES_HZ = {"la": 500.0, "mi": 1000.0, "so": 1500.0}
TEXTS = ("la mi so la", "so so mi la")
"""What everybody says: 8 words, 3 of them ``so``."""

SPECS = (
    ModelSpec("tones", "recognition", "tones:build_recognizer", ("tiny",), "MIT", "tests"),
    ModelSpec("hums", "verification", "tones:build_embedder", ("tiny",), "MIT", "tests"),
    ModelSpec("breaks", "recognition", "tones:build_broken", ("tiny",), "MIT", "tests"),
    ModelSpec("lacks", "recognition", "tones:build_recognizer", ("tiny",), "MIT", "tests", ("no-such-package",)),
    ModelSpec("declines", "recognition", "tones:build_declining", ("tiny",), "MIT", "tests"),
)


def speak(text: str, speaker: int, *, accent: str = "a") -> Samples:
    """The tones of a text in a speaker's voice."""
    tones = TONES_HZ | ({"so": 1000.0} if accent == "b" else {})
    t = np.arange(WORD) / RATE_HZ
    words = [np.sin(2 * np.pi * tones[word] * t) for word in text.split()]
    said = np.concatenate(words)
    hum = np.sin(2 * np.pi * (3000 + 50 * speaker) * np.arange(len(said)) / RATE_HZ)
    return np.asarray(0.4 * said + 0.2 * hum, dtype=np.float32)


def write_tones(folder: Path, n_speakers: int = 24, **columns: Any) -> Path:
    """A manifest corpus, all of it in split measure but for one train speaker; odd speakers have accent ``b``."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(n_speakers + 1):
        accent = "ab"[number % 2]
        for place, text in enumerate(TEXTS):
            name = f"s{number:02}-{place}"
            soundfile.write(folder / "audio" / f"{name}.wav", speak(text, number, accent=accent), RATE_HZ)
            words = [
                {"word": w, "start": 0.2 * k, "end": 0.2 * (k + 1)} for k, w in enumerate(text.capitalize().split())
            ]
            row = {
                "id": name, "audio": f"audio/{name}.wav", "text": f"{text.capitalize()}.", "words": words,
                "speaker": f"s{number:02}", "accent": accent, "split": "measure" if number < n_speakers else "train",
            }  # fmt: skip
            lines.append(json.dumps(row | columns))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class ToneStream:
    """Keeps less than a word of audio and says each word when it is over, a guess at it before."""

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)
        self._n_words = 0

    def accept(self, samples: Samples) -> Update:
        if not np.isfinite(samples).all():
            raise InputError("a sample is no number", where="tones", fix="give finite samples")
        audio = np.concatenate([self._rest, samples])
        n = len(audio) // WORD
        words = [self._hear(audio[k * WORD : (k + 1) * WORD]) for k in range(n)]
        self._rest = audio[n * WORD :]
        self._n_words += n
        guess = (Token(" " + self._hear(self._rest)),) if len(self._rest) >= WORD // 2 else ()
        return Update(tuple(Token(" " + word) for word in words), guess)

    def finish(self) -> Update:
        return Update()

    def work(self) -> Mapping[str, int]:
        return {"correlations": 3 * WORD * self._n_words}

    @staticmethod
    def _hear(part: Samples) -> str:
        t = np.arange(len(part)) / RATE_HZ
        power = {word: abs(np.exp(-2j * np.pi * hz * t) @ part) for word, hz in TONES_HZ.items()}
        return max(power, key=lambda word: power[word])


class ToneRecognizer:
    info = ModelInfo(RATE_HZ, n_parameters=3, trained_on=("scales",))

    def stream(self, condition: Condition | None = None) -> ToneStream:
        del condition
        return ToneStream()


class HumEmbedder:
    info = ModelInfo(RATE_HZ)

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        rows = []
        for row, n in zip(samples, lengths, strict=True):
            whole = np.abs(np.fft.rfft(row[:n], n=RATE_HZ))  # a bin is 1 Hz
            rows.append(whole[3000 : 3000 + 50 * 64 : 50])
        return np.array(rows, dtype=np.float32)


class Broken(ToneRecognizer):
    def stream(self, condition: Condition | None = None) -> ToneStream:
        raise RuntimeError("out of tune\nand more")


def build_recognizer(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> ToneRecognizer:
    del preset, options, vocabulary, seed, device
    return ToneRecognizer()


def build_embedder(preset: str, **_rest: Any) -> HumEmbedder:
    del preset
    return HumEmbedder()


def build_broken(preset: str, **_rest: Any) -> Broken:
    del preset
    return Broken()


def build_declining(preset: str, **_rest: Any) -> ToneRecognizer:
    raise Unsupported("no ear for it")
