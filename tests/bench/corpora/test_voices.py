"""Synthetic voices saying given texts: even, varied, kept, and the same every time."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile

from earmark.bench.corpora import voices
from earmark.bench.corpora.voices import speak

TEXTS = ["one two", "three", "four five six"]


def spoken(cache: Path, n: int = 7, seed: int = 0) -> list[dict[str, Any]]:
    return speak(TEXTS, n, seed=seed, cache=cache, progress=lambda *_: None)


def samples(row: dict[str, Any]) -> bytes:
    return soundfile.read(row["audio"]["path"], dtype="int16")[0].tobytes()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_texts_are_said_evenly_by_voices_that_differ(tmp_path: Path) -> None:
    rows = spoken(tmp_path)
    assert {row["split"] for row in rows} == {"train"}
    assert sorted(Counter(row["text"] for row in rows).values()) == [2, 2, 3]
    assert len({row["speaker"] for row in rows}) == 7
    for row in rows:
        assert row["duration_s"] == pytest.approx(soundfile.info(row["audio"]["path"]).duration)
        assert [word["word"] for word in row["words"]] == row["text"].split()


@pytest.mark.slow
def test_the_same_texts_give_the_same_recordings_and_are_made_once(tmp_path: Path) -> None:
    first, second = spoken(tmp_path / "one"), spoken(tmp_path / "two")
    assert [samples(row) for row in first] == [samples(row) for row in second]
    path = Path(first[0]["audio"]["path"])
    made = path.stat().st_mtime_ns
    assert [row["id"] for row in spoken(tmp_path / "one")] == [row["id"] for row in first]
    assert path.stat().st_mtime_ns == made
    assert [samples(row) for row in spoken(tmp_path / "one", seed=1)] != [samples(row) for row in first]


@pytest.mark.slow
def test_two_trainings_that_want_the_same_voices_make_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    make = voices._make

    def slowly(texts: Any, n: int, seed: int, folder: Path, progress: Any) -> None:
        made.append(folder)
        time.sleep(0.2)
        make(texts, n, seed, folder, progress)

    monkeypatch.setattr(voices, "_make", slowly)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: spoken(tmp_path), range(2))
    assert first == second
    assert len(made) == 1
