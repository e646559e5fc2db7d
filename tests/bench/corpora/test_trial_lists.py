from __future__ import annotations

from pathlib import Path

import pytest
from corpus_files import write_corpus

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora.load import load_corpus
from earmark.bench.corpora.trial_lists import encoded, lines_of, read_trials, trial_line

LINES = [
    {"id": f"{s}{k}", "audio": f"ok-{s} {k}.wav", "text": f"text {k}", "speaker": s, "split": "measure"}
    for s in "ab"
    for k in (1, 2)
]


def load(folder: Path, trials: str | None) -> Corpus:
    write_corpus(folder, LINES)
    if trials is not None:
        (folder / "trials.txt").write_text(trials, encoding="utf-8")
    return load_corpus(str(folder), cache=folder.parent / "cache", progress=lambda *_: None)


def test_a_folder_may_bring_its_own_list_by_id_or_path(tmp_path: Path) -> None:
    corpus = load(tmp_path / "c", "1 a1 a2\n0 ok-a%201.wav b2\n\n0 a2 ok-b%202.wav\n")
    assert corpus.trials is not None
    assert corpus.trials.name == "trials"
    assert corpus.trials.trials == ((True, "a1", "a2"), (False, "a1", "b2"), (False, "a2", "b2"))


def test_the_list_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    prints = {load(tmp_path / "c", trials).fingerprint for trials in (None, "1 a1 a2\n", "1 a1 a2\n0 a1 b1\n")}
    assert len(prints) == 3


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [
        {"target": True, "enroll_id": "my own (1)%.wav", "test_id": "b"},
        {"target": False, "enroll_id": "é;x", "test_id": "id1/v/2.wav"},
    ]
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines_of(rows)), encoding="utf-8")
    from urllib.parse import unquote

    assert [(target, unquote(a), unquote(b)) for target, a, b in read_trials(path)] == [
        (row["target"], row["enroll_id"], row["test_id"]) for row in rows
    ]
    assert trial_line(False, "a b", "c") == f"0 {encoded('a b')} c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 a1 a2\n1 a1\n", r"trials\.txt, line 2: '1 a1' is no trial"),
        ("target a1 a2\n", "line 1"),
        ("\n\n", "no trials"),
        ("1 a1 a3\n", r"trial 1: the corpus has no recording 'a3'"),
        ("0 a1 b1\n0 a1 a2\n", "trial 2: label 0, but a1 is spoken by a and a2 by a"),
        ("1 a1 b1\n", "label 1"),
    ],
)
def test_a_bad_list_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path / "c", text)
