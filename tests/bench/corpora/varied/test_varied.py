"""Recordings in which it is now easy, now hard: what is joined, how loud the noise is and where, and the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.bench.api import Corpus
from earmark.bench.corpora.conditions import active_samples, speech_shaped_noise
from earmark.bench.corpora.schema import complete, metadata, open_rows
from earmark.bench.corpora.synthetic import build as source
from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.synthetic.world import Recipe
from earmark.bench.corpora.varied import build
from earmark.bench.corpora.varied.joining import HEARD, STRETCH_S, Heard, Part, join, loud

DRAWS = Draws("test")


def part(seed: int, n: int = 16_000) -> Part:
    tone = 5_000 * np.sin(0.1 * (1 + seed) * np.arange(n))
    return Part(tone.astype(np.int16), [{"word": f"word{seed}", "start": 0.1, "end": 0.9}])


def test_parts_keep_their_order_their_words_and_a_pause_between_them() -> None:
    joined = join("u", [part(0), part(1)], "clean", DRAWS)
    gap = len(joined.pcm) - 32_000
    assert 0.3 * 16_000 <= gap <= 1.5 * 16_000
    assert np.array_equal(joined.pcm[:16_000], part(0).pcm)
    assert np.array_equal(joined.pcm[-16_000:], part(1).pcm)
    later = 1.0 + gap / 16_000
    assert [(w["word"], w["start"], w["end"]) for w in joined.words] == [
        ("word0", 0.1, 0.9), ("word1", pytest.approx(0.1 + later, abs=1e-4), pytest.approx(0.9 + later, abs=1e-4)),
    ]  # fmt: skip
    hush = joined.pcm[16_000:-16_000].astype(np.float64)
    assert 0 < np.sqrt(np.mean(hush**2)) < 0.05 * np.sqrt(np.mean(part(0).pcm.astype(np.float64) ** 2))


def test_noise_is_as_loud_as_the_speech_over_what_is_spoken() -> None:
    noisy = join("u", [part(0), part(1)], "noisy", DRAWS).pcm.astype(np.float64)
    noise = speech_shaped_noise(len(noisy), "varied|u")
    speech = np.concatenate([part(0).pcm, np.zeros(len(noisy) - 32_000), part(1).pcm]).astype(np.float64)
    (level, amount), *_ = np.linalg.lstsq(np.stack([speech, noise], axis=1), noisy)
    spoken = active_samples(speech)
    ratio = np.mean((level * speech[spoken]) ** 2) / np.mean((amount * noise[spoken]) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(0.0, abs=0.2)
    assert 0.0 < level < 1.001


def test_stretches_change_between_none_and_all_of_it() -> None:
    amount = loud("u", 160_000, "changing", DRAWS)
    edges = np.flatnonzero(np.diff(amount))
    assert set(np.unique(amount)) == {0.0, 1.0}
    lengths = np.diff(edges) / 16_000
    assert STRETCH_S[0] <= lengths.min()
    assert lengths.max() <= STRETCH_S[1]
    assert loud("u", 9, "clean", DRAWS).max() == 0.0
    assert loud("u", 9, "noisy", DRAWS).min() == 1.0


def rows(n: int) -> list[Any]:
    return [
        complete({"id": f"s{k}-{i:02}", "speaker": f"s{k}", "text": f"t{i}", "extra": json.dumps({"task": "digits"})})
        for k in range(6)
        for i in range(n)
    ]


def test_each_recording_is_used_once_and_each_way_of_hearing_as_often() -> None:
    planned = list(build.plan(rows(13)))
    used = [row["id"] for _, said, _ in planned for row in said]
    assert len(used) == len(set(used)) == 6 * 12
    assert all(len({row["speaker"] for row in said}) == 1 for _, said, _ in planned)
    ways: list[Heard] = [heard for _, _, heard in planned]
    assert [ways.count(heard) for heard in HEARD] == [12, 12, 12]
    assert planned == list(build.plan(rows(13)[::-1]))


@pytest.mark.slow
def test_two_builds_are_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Recipe(name="tiny", n_speakers={"train": 2, "measure": 2}, n_train=1, n_other=1)
    monkeypatch.setattr(build, "load_quick", lambda **around: source.load(tiny, **around))

    def load(cache: Path) -> Corpus:
        return build.load(cache=cache, progress=lambda *_: None)

    one, again, other = load(tmp_path / "a"), load(tmp_path / "a"), load(tmp_path / "b")
    assert one.fingerprint == again.fingerprint == other.fingerprint
    for row in open_rows(one):
        assert [word["word"] for word in row["words"]] == row["text"].split()
        assert metadata(row)["heard"] in HEARD
        assert "snr_db" not in metadata(row)  # the parts differ in it
