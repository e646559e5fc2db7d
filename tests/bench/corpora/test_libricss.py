"""LibriCSS, read from a small copy that is laid out as published; both protocols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora import audio
from earmark.bench.corpora.libricss import SHARED
from earmark.bench.corpora.load import load_corpus

RATE = 16_000
LINES = (
    (1.0, 3.0, "61", "61-70968-0000", "HE BEGAN"),
    (2.5, 4.0, "672", "672-122797-0003", "A CONFUSED COMPLAINT"),
    (4.06, 5.0, "61", "61-70968-0001", "AGAINST THE WIZARD"),
    (7.0, 8.0, "672", "672-122797-0004", "WHO"),
)
SESSIONS = {
    "0S": "overlap_ratio_0.0_sil0.1_0.5_session0_actual0.0",
    "OV10": "overlap_ratio_10.0_sil0.1_1.0_session3_actual10.1",
}


def write_release(folder: Path) -> Path:
    """Two mini-sessions of 10 s; microphone k of seven hears a constant of k / 10."""
    for condition, name in SESSIONS.items():
        session = folder / "for_release" / condition / name
        (session / "record").mkdir(parents=True)
        (session / "transcription").mkdir()
        sound = np.tile(np.arange(7) / 10, (10 * RATE, 1))
        soundfile.write(session / "record" / "raw_recording.wav", sound, RATE)
        head = "start_time\tend_time\tspeaker\tutterance_id\ttranscription"
        lines = [head, *("\t".join(map(str, line)) for line in LINES)]
        (session / "transcription" / "meeting_info.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("libricss"))


def load(name: str, cache: Path) -> Corpus:
    return load_corpus(name, cache=cache, progress=lambda *_: None)


def extra(row: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = json.loads(row["extra"])
    return found


def test_utterance_groups_are_cut_where_nobody_talks(release: Path, tmp_path: Path) -> None:
    """The second and third utterance of a session are 0.06 s apart: the cut lies in the middle, else 0.1 s away."""
    corpus = load(f"libricss(protocol=utterance_group,microphone=2):{release}", tmp_path)
    rows = {row["id"]: dict(row) for row in corpus.rows}
    assert [*rows] == [f"{c}-{k:03d}" for c in ("0S-session0", "OV10-session3") for k in range(3)]
    first, second, third = (rows[f"OV10-session3-{k:03d}"] for k in range(3))
    assert [s["text"] for s in first["segments"]] == ["HE BEGAN", "A CONFUSED COMPLAINT"]
    assert [s["start"] for s in first["segments"]] == pytest.approx([0.1, 1.6])
    assert [s["end"] for s in first["segments"]] == pytest.approx([2.1, 3.1])
    assert [first["duration_s"], second["duration_s"], third["duration_s"]] == pytest.approx([3.13, 1.07, 1.2])
    assert second["segments"][0]["start"] == pytest.approx(0.03)
    assert {row["split"] for row in rows.values() if row["id"].startswith("0S")} == {"dev"}
    assert {row["split"] for row in rows.values() if row["id"].startswith("OV10")} == {"measure"}
    assert extra(first) == {
        "overlap_condition": "OV10", "protocol": "utterance_group", "session": "3", "n_turns": "2",
    }  # fmt: skip
    assert audio.decode(first).max() == pytest.approx(0.2, abs=1e-4)
    assert corpus.flags == (SHARED,)


def test_continuous_sessions_are_whole_and_another_corpus(release: Path, tmp_path: Path) -> None:
    whole = load(f"libricss(protocol=continuous):{release}", tmp_path)
    cut = load(f"libricss(protocol=utterance_group):{release / 'for_release'}", tmp_path)
    assert [row["id"] for row in whole.rows] == ["0S-session0", "OV10-session3"]
    assert [row["duration_s"] for row in whole.rows] == [10.0, 10.0]
    assert [s["start"] for s in whole.rows[1]["segments"]] == [1.0, 2.5, 4.06, 7.0]
    assert {extra(row)["protocol"] for row in whole.rows} == {"continuous"}
    assert whole.fingerprint != cut.fingerprint
    assert (whole.name, cut.name) == (
        f"libricss(protocol=continuous):{release.name}", "libricss(protocol=utterance_group):for_release",
    )  # fmt: skip


def test_the_folder_may_stand_in_the_environment(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARMARK_LIBRICSS", str(release))
    corpus = load("libricss(protocol=continuous)", tmp_path)
    assert (len(corpus.rows), corpus.name) == (2, "libricss(protocol=continuous)")


def test_the_same_copy_elsewhere_has_the_same_fingerprint(release: Path, tmp_path: Path) -> None:
    moved = write_release(tmp_path / "moved")
    name = "libricss(protocol=continuous):"
    assert load(f"{name}{release}", tmp_path).fingerprint == load(f"{name}{moved}", tmp_path).fingerprint


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("libricss", "local copy|protocol"),
        ("libricss:{}", "no protocol is named.*utterance_group"),
        ("libricss(protocol=segments):{}", "no protocol 'segments'"),
        ("libricss(protocol=continuous)", "none is named"),
        ("libricss(protocol=continuous):{}/nowhere", "no such folder"),
        ("libricss(protocol=continuous):{}/for_release/0S", "for_release"),
        ("libricss(protocol=continuous,microphone=7):{}", "it has 7 channels"),
        ("libricss(protocol=continuous,mic=1):{}", "microphone"),
    ],
)
def test_what_cannot_be_read_is_said(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.delenv("EARMARK_LIBRICSS", raising=False)
    with pytest.raises(InputError, match=f"(?s){says}"):
        load(name.format(release), tmp_path)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    write_release(tmp_path)
    path = next(tmp_path.glob("for_release/OV10/*/transcription/meeting_info.txt"))
    path.write_text(path.read_text() + "1.0 2.0 no tabs\n")
    with pytest.raises(InputError, match=r"meeting_info\.txt, line 6"):
        load(f"libricss(protocol=continuous):{tmp_path}", tmp_path)
