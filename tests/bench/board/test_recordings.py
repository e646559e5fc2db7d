"""What is told of a cell's recordings, against the transcripts of ``runs.UTTERANCES``, counted by hand there."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import runs
import talks

from earmark.bench.board import encode, recordings
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return runs.build_results(tmp_path)


def test_utterances_come_worst_first_and_aligned(folder: RunFolder) -> None:
    told = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")["utterances"]
    assert told["id"] == ["u1", "u3", "u4", "u2"]
    assert told["errors"] == [3, 1, 1, 0]
    assert told["words"] == [5, 3, 0, 1]
    assert ["".join(sorted(steps)) for steps in told["steps"]] == ["DEEEIS", "EES", "I", "E"]
    for reference, hypothesis, steps in zip(told["reference"], told["hypothesis"], told["steps"], strict=True):
        assert len(reference.split()) == sum(step != "I" for step in steps)
        assert len(hypothesis.split()) == sum(step != "D" for step in steps)


def test_final_words_are_joined_from_tokens_at_the_time_of_their_last(folder: RunFolder) -> None:
    told = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")["utterances"]
    said = dict(zip(told["id"], told["said"], strict=True))
    assert [word[:3] for word in said["u1"]] == [
        ["turn", 0.24, 0.7], ["the", 0.36, 0.7], ["night", 0.6, 0.7], ["please", 0.6, 0.7], ["now", 0.6, 0.7],
    ]  # fmt: skip
    assert [word[0] for word in said["u2"]] == ["stop"]  # no partial, no later pass
    assert dict(zip(told["id"], told["spoken"], strict=True))["u2"] == [["Stop.", 0.1, 0.5]]


def test_turns_are_words_of_their_own(tmp_path: Path) -> None:
    tokens = [(" a", "text"), ("", "end_of_turn"), ("b", "text"), ("c d", "text")]
    rows = [
        {"text": text, "kind": kind, "audio_s": float(n), "emitted_s": n + 0.5} for n, (text, kind) in enumerate(tokens)
    ]
    assert recordings._words(rows) == [["a", 0.0, 0.5], ["<end_of_turn>", 1.0, 1.5], ["bc", 3.0, 3.5], ["d", 3.0, 3.5]]


def test_errors_by_speaker_add_up(folder: RunFolder) -> None:
    page = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")
    errors = recordings.speaker_errors(page)
    assert errors["u1"] == ("anna", 3, 5)
    assert (sum(e for _, e, _ in errors.values()), sum(w for *_, w in errors.values())) == (5, 9)


def test_a_large_cell_tells_its_worst_and_keeps_the_counts_of_all(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")
    monkeypatch.setattr(recordings, "MAX_RECORDINGS", 2)
    page = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")
    assert page["utterances"]["id"] == ["u1", "u3"]
    assert page["utterances"]["n"] == 4
    assert recordings.speaker_errors(page) == recordings.speaker_errors(whole)


def test_errors_of_a_metric_that_a_page_does_not_count_are_unknown(folder: RunFolder) -> None:
    page = recordings.cell_page(folder.observations("good"), runs.cell_row("good"), "basic-1")
    assert recordings.speaker_errors(page, "orc_wer") == {}


def test_conversations_are_counted_with_turns_assigned_to_channels(tmp_path: Path) -> None:
    """In ``talks`` all of ``both`` is right on two channels, but out of order in one line; ``one`` lost a word."""
    pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")
    page = recordings.cell_page(talks.write_talks(tmp_path), runs.cell_row("good", task="conversation"), "basic-1")
    told = page["utterances"]
    assert dict(zip(told["id"], told["orc"], strict=True)) == {"one": 1, "both": 0}
    assert dict(zip(told["id"], told["errors"], strict=True))["both"] > 0
    assert recordings.speaker_errors(page, "orc_wer") == {"one": ("one", 1, 2), "both": ("both", 0, 7)}
    assert [turn[:2] for turn in told["turns"]["both"]] == [["A", 0], ["B", 1], ["A", 1]]


def test_pages_that_heard_the_same_recordings_say_so_in_their_beginning(tmp_path: Path) -> None:
    """In whatever order; a recording less is something else, and a page of the other sort has no say."""
    said = []
    for name, heard in {"a": "xyz", "b": "zxy", "c": "xy"}.items():
        with Writer(tmp_path / name, name) as writer:
            for one in heard:
                said_of = {"speaker": one, "reference": "", "hypothesis_raw": "", "audio_s": 1.0, "outcome": "ok"}
                writer.add("utterances", utterance_id=one, **said_of)
        page = recordings.cell_page(tmp_path / name, runs.cell_row(name), "basic-1")
        path = tmp_path / f"{name}.js"
        path.write_text(encode.script(name, page), encoding="utf-8")
        said.append(recordings.heard_of(path))
    assert said[0] == said[1] != said[2]
    assert said[2]
    path.write_text(encode.script("none", {}), encoding="utf-8")
    assert recordings.heard_of(path) is None


def test_trials_are_told_of_verification(folder: RunFolder) -> None:
    page = recordings.cell_page(folder.observations("voice"), runs.cell_row("voice", task="verification"), "basic-1")
    assert page["n_trials"] == [1, 1]
    assert [row[4] for row in page["trials"]] == [True, False]


def test_gates_and_service_times_are_summed_up(tmp_path: Path) -> None:
    with Writer(tmp_path, "c") as writer:
        for n in range(4):
            writer.add("probes", utterance_id=f"u{n}", name="gate_rate_key_0", value=n / 4)
            chunk = {
                "pass": 0,
                "chunk": n,
                "n_samples": 10,
                "due_s": 0.1 * (n + 1),
                "start_s": 0.0,
                "service_s": 0.001 * n,
                "timed": True,
            }
            writer.add("chunks", utterance_id="u", **chunk)
        writer.add("chunks", utterance_id="u", **chunk | {"n_samples": 0, "service_s": 9.0})
    assert recordings.curves.gates(tmp_path) == {"gates": [["gate_rate_key_0", 0.375, 0.0, 0.75, 4]]}
    service = recordings.curves.service(tmp_path)["service"]
    assert [row[3] for row in service] == [1, 1, 1, 1]
    assert [row[1] for row in service] == [0.0, 1.0, 2.0, 3.0]


def test_verification_is_drawn_by_cohorts_of_its_speakers(tmp_path: Path) -> None:
    """Ten speakers of a group whose trials are told apart well, ten of one whose trials are not."""
    rng = np.random.default_rng(0)
    speakers = {f"s{n}": "good" if n < 10 else "bad" for n in range(20)}
    with Writer(tmp_path, "c") as writer:
        for name, group in speakers.items():
            about = {"speaker": name, "vector": [1.0], "metadata": json.dumps({"group": group})}
            writer.add("embeddings", utterance_id=name, **about)
        for one, other in itertools.combinations_with_replacement(speakers, 2):
            score = rng.normal(1.0 * (one == other) * (4 if speakers[one] == "good" else 1))
            sides = {"enroll_speaker": one, "test_speaker": other, "target": one == other, "score": score}
            writer.add("trials", enroll_id=one, test_id=other, **sides)
    drawn = recordings.cell_page(tmp_path, runs.cell_row("c", task="verification"), "basic-1")["by_cohort"]
    assert drawn.keys() == {"group"}
    assert drawn["group"].keys() == {"det", "scores", "matches"}
    assert {"good", "bad"} <= set(re.findall(r"good|bad", json.dumps(drawn["group"]["det"])))
