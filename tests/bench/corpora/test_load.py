from __future__ import annotations

from pathlib import Path

import pytest
from corpus_files import write_corpus

from earmark.bench import registry
from earmark.bench.api import Corpus, CorpusSpec, InputError
from earmark.bench.corpora.load import load_corpus


def load(name: str, cache: Path) -> Corpus:
    return load_corpus(name, cache=cache, progress=lambda *_: None)


def test_a_folder_and_its_manifest_are_the_same_corpus(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "mine", [{"id": "a", "audio": "ok.wav", "text": "x"}])
    assert load(str(folder), tmp_path).fingerprint == load(str(folder / "manifest.jsonl"), tmp_path).fingerprint


def test_a_registered_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "told", [{"id": "a", "audio": "ok.wav", "text": "x"}])
    monkeypatch.chdir(tmp_path)
    built = Corpus("told", None, "f", "CC0")
    spec = CorpusSpec("told", "m:f", "CC0", "here")
    monkeypatch.setattr(registry, "corpora", lambda: {"told": spec})
    monkeypatch.setattr(registry, "resolve", lambda _: lambda **_: built)
    assert load("told", tmp_path) is built
    assert load("./told", tmp_path).name == "told"
    assert load("./told", tmp_path) is not built


def test_an_unknown_name_comes_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown corpus 'synthetik'") as caught:
        load("synthetik", tmp_path)
    assert "synthetic" in caught.value.fix


@pytest.mark.parametrize(
    ("make", "said"),
    [("folder", "no manifest.jsonl here"), ("file", "a file, not a corpus folder"), ("", "no such folder")],
)
def test_a_path_without_manifest_says_so(tmp_path: Path, make: str, said: str) -> None:
    path = tmp_path / "there"
    if make == "folder":
        path.mkdir()
    elif make == "file":
        path.touch()
    with pytest.raises(InputError, match=said) as caught:
        load(str(path), tmp_path)
    assert "there" in caught.value.where


def test_synthetic_corpora_are_registered() -> None:
    assert {"synthetic", "synthetic-small", "synthetic-world"} <= set(registry.corpora())
