from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus_files import write_corpus

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora.manifest import load_manifest, validate
from earmark.bench.corpora.schema import metadata, open_rows


def quiet(done: int, total: int, what: str) -> None:
    assert 0 <= done <= total
    assert what


def load(folder: Path) -> Corpus:
    return load_manifest(folder, cache=folder.parent / "cache", progress=quiet)


def good(n: int = 3, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"u{i}", "audio": f"ok{i}.wav", "text": f"word {i}", "speaker": f"s{i}", **more} for i in range(n)]


def test_a_good_manifest_becomes_rows_of_the_schema(tmp_path: Path) -> None:
    lines = good(2, gender="female", age=38.0, lat=1, lon=-2, license="CC0", session=4, split="train")
    corpus = load(write_corpus(tmp_path / "voices", lines))
    row = next(open_rows(corpus))
    assert (corpus.name, corpus.license, corpus.source, len(corpus.rows)) == ("voices", "CC0", "voices", 2)
    assert (row["id"], row["text"], row["split"], row["lat"], row["lon"]) == ("u0", "word 0", "train", 1.0, -2.0)
    assert row["duration_s"] == 0.1
    assert metadata(row) == {"gender": "female", "age": "38", "license": "CC0", "session": "4"}
    assert row["audio"]["path"] == str((tmp_path / "voices" / "ok0.wav").resolve())


BAD: list[tuple[str, Any, str]] = [
    ("bad JSON", '{"id": "x"', "not valid JSON"),
    ("NaN in JSON", '{"id": "x", "audio": "ok.wav", "text": "a", "lat": NaN}', "NaN is no JSON"),
    ("not an object", "[1, 2]", "a JSON list, not an object"),
    ("no id", {"audio": "ok.wav", "text": "a"}, "no `id`"),
    ("id of a wrong type", {"id": 7, "audio": "ok.wav", "text": "a"}, "`id` is a number, not text"),
    ("no audio", {"id": "x", "text": "a"}, "no `audio`"),
    ("duplicate id", {"id": "u0", "audio": "ok.wav", "text": "a"}, "the id stands in line 1 already"),
    ("missing file", {"id": "x", "audio": "gone.wav", "text": "a"}, "no file 'gone.wav'"),
    ("absolute path", {"id": "x", "audio": "/etc/passwd", "text": "a"}, "leaves the folder"),
    ("climbing path", {"id": "x", "audio": "a/../../x.wav", "text": "a"}, "leaves the folder"),
    ("drive path", {"id": "x", "audio": "C:\\x.wav", "text": "a"}, "leaves the folder"),
    ("empty text", {"id": "x", "audio": "ok.wav", "text": "  "}, "neither `text` nor `segments`"),
    ("text of a wrong type", {"id": "x", "audio": "ok.wav", "text": 5}, "`text` is a number, not text"),
    ("unknown split", {"id": "x", "audio": "ok.wav", "text": "a", "split": "tests"}, "unknown split 'tests'"),
    ("lat out of range", {"id": "x", "audio": "ok.wav", "text": "a", "lat": 91, "lon": 0}, "`lat` 91.0 is out"),
    ("lon out of range", {"id": "x", "audio": "ok.wav", "text": "a", "lat": 0, "lon": -181}, "`lon` -181.0 is out"),
    ("lat as text", {"id": "x", "audio": "ok.wav", "text": "a", "lat": "5", "lon": 0}, "`lat` is a text, not a number"),
    ("lat alone", {"id": "x", "audio": "ok.wav", "text": "a", "lat": 5}, "`lat` and `lon` must come together"),
    ("speaker of a wrong type", {"id": "x", "audio": "ok.wav", "text": "a", "speaker": ["s"]}, "`speaker` is a list"),
    ("words out of order", {"id": "x", "audio": "ok.wav", "text": "a b",
                            "words": [["b", 0.05, 0.06], ["a", 0.01, 0.02]]}, "words out of order"),
    ("word outside the audio", {"id": "x", "audio": "ok.wav", "text": "a", "words": [["a", 0.0, 9.0]]},
     "word 'a' ends at 9.0 s, after the audio (0.100 s)"),
    ("word that ends first", {"id": "x", "audio": "ok.wav", "text": "a", "words": [["a", 0.05, 0.01]]}, "a span from"),
    ("words of a wrong type", {"id": "x", "audio": "ok.wav", "text": "a", "words": "a"}, "`words` is a text"),
    ("segment outside", {"id": "x", "audio": "ok.wav", "segments": [{"speaker": "q", "start": 0, "end": 3}]},
     "segment 'q' ends at 3.0 s"),
    ("segment of a wrong type", {"id": "x", "audio": "ok.wav", "segments": [1]}, "a segment is a number"),
    ("no split beside others", {"id": "x", "audio": "ok.wav", "text": "a", "split": None}, "no split, though"),
    ("speaker in two splits", {"id": "x", "audio": "ok.wav", "text": "a", "speaker": "s0", "split": "test"},
     "speaker 's0' is in test here and in train in line 1"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_bad_line_is_reported_with_its_number(tmp_path: Path, line: Any, said: str) -> None:
    if isinstance(line, dict) and "split" not in line:
        line = {**line, "split": "train"}
    folder = write_corpus(tmp_path / "c", [*good(2, split="train"), line])
    with pytest.raises(InputError) as caught:
        load(folder)
    text = str(caught.value)
    assert "manifest.jsonl, line 3: " in text
    assert said in text
    assert "; " in text, "no fix"
    assert "\n" not in text


def test_every_problem_of_every_line_is_collected(tmp_path: Path) -> None:
    lines = [{"audio": "gone.wav", "text": "", "lat": 99, "lon": 0} for _ in range(30)]
    with pytest.raises(InputError) as caught:
        load(write_corpus(tmp_path / "c", lines))
    shown = str(caught.value).splitlines()
    assert "120 problems in 30 lines" in shown[0]
    assert len(shown) == 1 + 20 + 1
    assert shown[-1] == "  and 100 more"


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    names = ("text.wav", "empty.wav", "nothing.wav")
    folder = write_corpus(tmp_path / "c", [{"id": n, "audio": n, "text": "a"} for n in names])
    (folder / "text.wav").write_text("this is no audio")
    soundfile.write(folder / "empty.wav", np.zeros(0), 16_000)
    (folder / "nothing.wav").touch()
    problems = validate(folder, cache=tmp_path / "cache", progress=quiet)
    assert [p.where for p in problems] == ["line 1", "line 2", "line 3"]
    assert "no audio that soundfile can read" in problems[0].what
    assert "has no samples" in problems[1].what
    assert "no audio" in problems[2].what


def test_nan_samples_are_found_at_once(tmp_path: Path) -> None:
    """Only floating-point files can hold them, so only these are read whole."""
    folder = write_corpus(tmp_path / "c", [{"id": "n", "audio": "n.wav", "text": "a"}])
    soundfile.write(folder / "n.wav", np.array([0.0, np.nan, 0.0]), 16_000, subtype="FLOAT")
    (problem,) = validate(folder, cache=tmp_path / "cache", progress=quiet)
    assert "NaN" in problem.what
    assert problem.where == "line 1"


def test_no_manifest_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the manifest"):
        load(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match="empty"):
        load(tmp_path)


def test_words_from_the_sidecar(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "c", [{**good(1)[0], "words": []}, good(2)[1]])
    lines = [{"id": "u0", "words": [["word", 0.01, 0.05], ["0", 0.05, 0.09]]}, {"id": "elsewhere", "words": []}]
    (folder / "word_alignments.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    rows = list(open_rows(load(folder)))
    assert rows[0]["words"] == [
        {"word": "word", "start": 0.01, "end": 0.05},
        {"word": "0", "start": 0.05, "end": 0.09},
    ]
    assert rows[1]["words"] == []


def test_a_bad_sidecar_is_reported(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "c", good(1))
    (folder / "word_alignments.jsonl").write_text('{"id": "u0", "words": [["a", 0.5, 0.1]]}\nnonsense\n')
    with pytest.raises(InputError) as caught:
        load(folder)
    assert "word_alignments.jsonl line 1: 'u0'" in str(caught.value)
    assert "word_alignments.jsonl line 2" in str(caught.value)


def test_segments_without_text_are_turns(tmp_path: Path) -> None:
    segments = [{"speaker": "b", "start": 0.05, "end": 0.09, "text": None}, {"speaker": "a", "start": 0, "end": 0.06}]
    corpus = load(write_corpus(tmp_path / "c", [{"id": "m", "audio": "ok.wav", "text": None, "segments": segments}]))
    row = next(open_rows(corpus))
    assert [s["speaker"] for s in row["segments"]] == ["a", "b"]
    assert row["text"] == ""


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    lines = good(6)
    first = load(write_corpus(tmp_path / "one", lines)).fingerprint
    folder = write_corpus(tmp_path / "two", lines)
    shuffled = random.Random(1).sample(lines, len(lines))
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(line) for line in shuffled))
    assert load(folder).fingerprint == first, "neither place nor order counts"
    soundfile.write(folder / "ok3.wav", np.full(1600, 0.25), 16_000)
    assert load(folder).fingerprint != first, "samples count"
    other = load(write_corpus(tmp_path / "three", [{**lines[0], "text": "else"}, *lines[1:]])).fingerprint
    assert other != first, "text counts"


def test_digests_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from earmark.bench.corpora import files

    folder = write_corpus(tmp_path / "c", good(3))
    before = load(folder)
    looked_at: list[str] = []
    inspect = files.inspect

    def watched(path: Path) -> files.AudioFacts:
        looked_at.append(path.name)
        return inspect(path)

    monkeypatch.setattr(files, "inspect", watched)
    assert load(folder).fingerprint == before.fingerprint
    assert looked_at == []
    os.utime(folder / "ok1.wav", ns=(1, 1))
    load(folder)
    assert looked_at == ["ok1.wav"]


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        ([{"id": "a", "audio": "ok.wav", "text": "x"}], ("no_speakers",)),
        (good(9, split="measure"), ("few_speakers",)),
        (good(10, split="measure"), ()),
    ],
)
def test_flags_say_what_a_corpus_cannot_carry(tmp_path: Path, lines: list[Any], flags: tuple[str, ...]) -> None:
    assert load(write_corpus(tmp_path / "c", lines)).flags == flags


def test_corpus_toml_names_the_corpus_and_may_ignore_splits(tmp_path: Path) -> None:
    lines = [{**line, "split": split, "speaker": "s"} for line, split in zip(good(2), ("train", "test"), strict=True)]
    folder = write_corpus(tmp_path / "c", lines)
    (folder / "corpus.toml").write_text('name = "mine"\nlicense = "MIT"\nsplit = "ignore"\n')
    corpus = load(folder)
    assert (corpus.name, corpus.license) == ("mine", "MIT")
    assert set(corpus.rows["split"]) == {"train"}


def test_corpus_toml_may_give_each_split_its_share_of_the_speakers(tmp_path: Path) -> None:
    lines = [{**line, "split": "train", "speaker": f"s{index}"} for index, line in enumerate(good(10))]
    folder = write_corpus(tmp_path / "c", lines)
    (folder / "corpus.toml").write_text("shares = { train = 0.2, discover = 0.3, measure = 0.5 }")
    assert Counter(load(folder).rows["split"]) == {"train": 2, "discover": 3, "measure": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [("licence = 'x'", "did you mean license"), ("name = 3", "name is not text"), ("split = 'no'", "split is 'no'"),
     ("name =", "not valid TOML"), ("shares = 1", "shares is not a table"), ("shares = {}", "shares is not a table"),
     ("shares = { test = 1 }", "unknown split 'test'"), ("shares = { train = true }", "the share of train is True"),
     ("shares = { train = 0.5, measure = 0.4 }", "shares come to 0.9")],
)  # fmt: skip
def test_a_bad_corpus_toml_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    folder = write_corpus(tmp_path / "c", good(1))
    (folder / "corpus.toml").write_text(text)
    with pytest.raises(InputError, match=r"corpus\.toml|TOML") as caught:
        load(folder)
    assert said in str(caught.value)
