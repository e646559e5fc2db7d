"""Conversations that were built: whose they are, where their turns lie, and that they come out the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tones

from earmark.bench.api import SPLITS, Corpus, InputError
from earmark.bench.corpora import audio
from earmark.bench.corpora.load import load_corpus
from earmark.bench.corpora.schema import speakers_of

SETTINGS = "dev=3,select=2,measure=4,max_turns=3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen speakers of tones, in turn of every split."""
    made = tones.write_tones(tmp_path_factory.mktemp("talkers") / "tones", 15)
    path = made / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["split"] = SPLITS[int(row["speaker"][1:]) % len(SPLITS)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return made


def load(folder: Path, cache: Path, settings: str = SETTINGS) -> Corpus:
    return load_corpus(f"conversations({settings}):{folder}", cache=cache, progress=lambda *_: None)


def test_a_split_talks_with_its_own_speakers(folder: Path, tmp_path: Path) -> None:
    found = load(folder, tmp_path)
    counts = {split: sum(row["split"] == split for row in found.rows) for split in SPLITS}
    assert counts == {"train": 0, "dev": 3, "discover": 0, "select": 2, "measure": 4}
    for row in found.rows:
        assert {SPLITS[int(name[1:]) % len(SPLITS)] for name in speakers_of(row)} == {row["split"]}
    assert found.mixed is not None
    assert found.mixed.talkers.name == "tones"


def test_turns_lie_inside_what_is_heard(folder: Path, tmp_path: Path) -> None:
    for row in load(folder, tmp_path).rows:
        samples = audio.decode(row)
        assert len(samples) / audio.SAMPLE_RATE_HZ == pytest.approx(row["duration_s"])
        assert all(0 <= s["start"] < s["end"] <= row["duration_s"] + 1e-3 for s in row["segments"])
        assert [s["start"] for s in row["segments"]] == sorted(s["start"] for s in row["segments"])


def test_they_come_out_the_same_elsewhere_and_otherwise_by_another_rule(folder: Path, tmp_path: Path) -> None:
    one = load(folder, tmp_path / "one")
    assert one.fingerprint == load(folder, tmp_path / "two").fingerprint
    others = [load(folder, tmp_path / "one", f"{SETTINGS},{more}").fingerprint for more in ("seed=1", "rooms=0")]
    assert len({one.fingerprint, *others}) == 3


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("max_turn=3", "did you mean max_turns"),
        ("max_turns=0", "max_turns=0 is out of range.*from 1 to 50"),
        ("max_turns=three", "is no whole number.*max_turns=5"),
        ("rooms=2", "rooms=2.0 is out of range"),
        ("style=loud", "unknown style"),
        ("style=libricss,max_turns=1", "two turns"),
    ],
)
def test_settings_that_cannot_be_are_one_clear_line(folder: Path, tmp_path: Path, settings: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        load(folder, tmp_path, settings)
    assert "\n" not in str(error.value)


def test_a_source_without_speakers_is_refused(tmp_path: Path) -> None:
    unnamed: dict[str, Any] = {"speaker": None, "split": None}
    folder = tones.write_tones(tmp_path / "tones", 4, **unnamed)
    with pytest.raises(InputError, match="named speaker"):
        load(folder, tmp_path)
