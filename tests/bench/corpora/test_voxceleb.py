"""VoxCeleb1 on a small copy of its layout: names, tabs and folders as the dataset has them, tones instead of voices."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from corpus_files import sine

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora import voxceleb
from earmark.bench.corpora.load import load_corpus
from earmark.bench.corpora.schema import column, metadata

HEADER = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
PEOPLE = {
    "id10001": ("A_J", "m", "Ireland", "dev"),
    "id10002": ("B_K", "f", "USA", "dev"),
    "id10010": ("F_O", "f", "Ireland", "dev"),
    "id10270": ("C_L", "m", "Germany", "test"),
    "id10271": ("D_M", "f", "Norway", "test"),
    "id10272": ("E_N", "m", "Norway", "test"),
}
VIDEOS = ("1zcIwhmdeo4", "7gWzIy6yIIk")
O_LIST = [
    "1 id10270/1zcIwhmdeo4/00001.wav id10270/7gWzIy6yIIk/00001.wav",
    "0 id10270/1zcIwhmdeo4/00001.wav id10271/1zcIwhmdeo4/00001.wav",
    "1 id10271/1zcIwhmdeo4/00001.wav id10271/7gWzIy6yIIk/00002.wav",
]
H_LIST = [
    "1 id10001/1zcIwhmdeo4/00001.wav id10001/7gWzIy6yIIk/00001.wav",
    "0 id10272/1zcIwhmdeo4/00001.wav id10270/1zcIwhmdeo4/00001.wav",
]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "voxceleb1"
    for n, speaker in enumerate(PEOPLE):
        side = "vox1_test_wav" if PEOPLE[speaker][3] == "test" else "vox1_dev_wav"
        for video in VIDEOS:
            for number in (1, 2):
                path = root / side / "wav" / speaker / video / f"{number:05}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, sine(16_000, 0.1, 0.1 + 0.1 * n), 16_000)
    rows = ["\t".join((speaker, *told)) for speaker, told in PEOPLE.items()]
    (root / "vox1_meta.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    (root / "veri_test2.txt").write_text("\n".join(O_LIST) + "\n", encoding="utf-8")
    (root / "list_test_hard.txt").write_text("\n".join(H_LIST) + "\n", encoding="utf-8")
    monkeypatch.setenv(voxceleb.ROOT, str(root))
    return root


def load(name: str, root: Path) -> Corpus:
    return load_corpus(name, cache=root.parent / "cache", progress=lambda *_: None)


def test_the_test_speakers_are_measured_on_their_list_and_the_others_train(copy: Path) -> None:
    corpus = load("voxceleb1-o", copy)
    splits = dict(zip(column(corpus, "speaker"), column(corpus, "split"), strict=True))
    assert {speaker for speaker, split in splits.items() if split == "measure"} == {"id10270", "id10271"}
    assert {splits[name] for name in ("id10001", "id10002", "id10010")} <= {"train", "dev"}
    assert "id10272" not in splits  # no trial is about it
    assert corpus.trials is not None
    assert (corpus.trials.name, len(corpus.trials.trials)) == ("veri_test2", 3)
    assert corpus.trials.trials[0] == (True, *(f"id10270/{video}/00001.wav" for video in VIDEOS))
    assert "partial_list:3" in corpus.flags


def test_what_is_known_of_speakers_and_videos(copy: Path) -> None:
    corpus = load("voxceleb1-o", copy)
    row = next(row for row in corpus.rows if row["id"] == "id10271/7gWzIy6yIIk/00002.wav")
    assert metadata(row) == {"gender": "female", "nationality": "Norway", "session": "7gWzIy6yIIk"}
    assert (row["text"], row["duration_s"]) == ("", 0.1)
    assert "D_M" not in str(row)  # nobody's name is kept


def test_the_larger_lists_measure_everybody(copy: Path) -> None:
    corpus = load("voxceleb1-h", copy)
    assert set(column(corpus, "split")) == {"measure"}
    assert set(column(corpus, "speaker")) == {"id10001", "id10270", "id10272"}
    assert corpus.revision == "list_test_hard"


def test_a_cleaned_list_goes_before_one_that_is_not(copy: Path) -> None:
    for name, lines in (("list_test_all.txt", O_LIST), ("list_test_all2.txt", [*O_LIST[1:], *H_LIST[:1]])):
        (copy / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    corpus = load("voxceleb1-e", copy)
    assert corpus.trials is not None
    assert (corpus.revision, len(corpus.trials.trials)) == ("list_test_all2", 3)
    assert set(column(corpus, "split")) == {"measure"}
    assert set(column(corpus, "speaker")) == {"id10001", "id10270", "id10271"}


def test_one_folder_for_all_speakers_will_do(copy: Path) -> None:
    before = load("voxceleb1-o", copy).fingerprint
    (copy / "wav").mkdir()
    for side in ("vox1_dev_wav", "vox1_test_wav"):
        for speaker in (copy / side / "wav").iterdir():
            speaker.rename(copy / "wav" / speaker.name)
    assert load("voxceleb1-o", copy).fingerprint == before


def test_a_copy_that_lacks_something_says_so(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no list of trials \(list_test_all2.txt or list_test_all.txt\)"):
        load("voxceleb1-e", copy)
    (copy / "vox1_test_wav/wav/id10271/7gWzIy6yIIk/00002.wav").unlink()
    with pytest.raises(InputError, match=r"trial 3: the corpus has no recording 'id10271/7gWzIy6yIIk/00002.wav'"):
        load("voxceleb1-o", copy)
    (copy / "vox1_meta.csv").write_text(HEADER.replace("\t", ",") + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"no column 'VoxCeleb1 ID'.*with tabs"):
        load("voxceleb1-o", copy)
    (copy / "vox1_meta.csv").write_text(HEADER + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"speaker id10270 is not in vox1_meta\.csv"):
        load("voxceleb1-o", copy)
    (copy / "vox1_meta.csv").unlink()
    with pytest.raises(InputError, match=r"no vox1_meta.csv.*EARMARK_VOXCELEB1"):
        load("voxceleb1-o", copy)
    monkeypatch.delenv(voxceleb.ROOT)
    with pytest.raises(InputError, match="EARMARK_VOXCELEB1 is not set"):
        load("voxceleb1-o", copy)


def test_every_speaker_is_told_of(copy: Path) -> None:
    people = voxceleb.read_meta(copy / "vox1_meta.csv")
    assert people["id10271"] == {"gender": "female", "nationality": "Norway", "set": "test"}
    assert len(people) == 6
