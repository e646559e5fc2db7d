"""Conversations through the whole harness: mixed in training, streamed, scored by turns and channels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import tones
from workers import work_here

from earmark.bench import lanes, learning, observing, registry, run, transcribe
from earmark.bench.compare import compare
from earmark.bench.preflight import Request
from earmark.bench.tables import SCHEMAS, read_table
from earmark.bench.training import checkpoint

pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")

pytestmark = pytest.mark.slow

PLUGIN = Path(__file__).parents[1] / "plugins" / "two_lanes.py"
SUITE = """
schema = 1
name = "unit"
[defaults]
passes = 1
[[train]]
id = "talk"
task = "conversation"
plugins = ["two_lanes"]
corpus = "{corpus}"
steps = 6
mixtures = 40
single_steps = 2
pieces = 8
recipe = {{ threads = 1, batch_size = 4 }}
[[measure]]
of = ["talk"]
corpus = ["{corpus}"]
"""


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return work_here(monkeypatch, (observing, learning), lambda job: "train" if "training" in job else "observe")


def go(tmp_path: Path, corpus: str, **changes: Any) -> run.Outcome:
    path = tmp_path / "unit.toml"
    path.write_text(SUITE.format(corpus=corpus), encoding="utf-8")
    base: dict[str, Any] = {
        "suite": str(path),
        "results": tmp_path / "results",
        "quiet": True,
        "plugin_files": (PLUGIN,),
    }
    return run.run_suite(Request(**(base | changes)), lambda _line: None)


@pytest.fixture
def talkers(tmp_path: Path) -> Path:
    """Twelve speakers of tones, every third of whom is to be learned from."""
    folder = tones.write_tones(tmp_path / "tones", 12)
    path = folder / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["split"] = "train" if int(row["speaker"][1:]) % 3 == 0 else "measure"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return folder


def test_a_conversation_model_is_trained_streamed_and_scored(tmp_path: Path, jobs: list[str], talkers: Path) -> None:
    outcome = go(tmp_path, f"conversations(measure=8,max_turns=3):{talkers}")
    (cell,) = outcome.folder.read_cells()
    assert (cell.status, cell.task, cell.corpus) == ("ok", "conversation", "conversations(measure=8,max_turns=3):tones")
    observed = outcome.folder.observations(cell.cell)
    turns = read_table(observed, "reference_turns").to_pylist()
    assert {turn["channel"] for turn in turns} == {0, 1}
    assert len({turn["utterance_id"] for turn in turns}) == 8
    kinds = set(read_table(observed, "tokens")["kind"].to_pylist())
    assert kinds == {"text", "start_of_turn", "end_of_turn"}
    found = {m.metric: m for m in outcome.folder.read_measurements() if m.cohort == "all"}
    assert found["orc_wer"].denominator == sum(len(turn["text"].split()) for turn in turns)
    assert found["turn_count_accuracy"].n == 8
    assert {"tcorc_wer", "di_cp_wer", "cp_wer", "rtf_streaming", "macs_per_audio_second"} <= set(found)
    heard = transcribe.listen(
        registry.scan((PLUGIN,)).named("two_lanes", "model"), str(talkers / "audio" / "s00-0.wav"), preset=None,
        device="cpu", chunk_ms=100,
    )  # fmt: skip
    assert isinstance([*heard][-1], lanes.Talk)
    config = checkpoint.config_of(learning.checkpoint_folder(cell.train_key))
    assert (config["mixtures"], config["single_steps"]) == (40, 2)


def test_a_recognizer_of_one_channel_is_scored_on_conversations_too(
    tmp_path: Path, jobs: list[str], talkers: Path
) -> None:
    """Each turn alone is said right; under ORC all of a recording's words stand on one channel."""
    corpus = f"conversations(style=sparse,measure=6,max_turns=3,rooms=0,silence_s=0):{talkers}"
    text = f"""
schema = 1
name = "unit"
[defaults]
passes = 1
[[train]]
id = "words"
task = "recognition"
plugins = ["tones"]
[[measure]]
of = ["words"]
corpus = ["{corpus}"]
"""
    path = tmp_path / "tones.toml"
    path.write_text(text, encoding="utf-8")
    asked = Request(
        suite=str(path), results=tmp_path / "results", quiet=True, plugin_files=(Path(tones.__file__),)
    )  # fmt: skip
    outcome = run.run_suite(asked, lambda _line: None)
    rows = [m for m in outcome.folder.read_measurements() if m.metric in ("wer", "orc_wer")]
    found = {(m.scheme, m.cohort, m.metric): m for m in rows}
    assert found["all", "all", "orc_wer"].value == found["all", "all", "wer"].value
    assert found["overlap", "none", "orc_wer"].n == 6
    assert {cohort for scheme, cohort, _ in found if scheme == "turns"} <= {"1 turn", "2 turns", "3 turns"}


def test_conversations_that_are_reused_are_scored_whole(tmp_path: Path, jobs: list[str], talkers: Path) -> None:
    """Four of eight are streamed again; the others keep their turns and how much audio each word came after."""
    corpus = f"conversations(measure=8,max_turns=3):{talkers}"
    overrides = ("timing_recordings=4",)
    first, second = (go(tmp_path, corpus, overrides=overrides, new=new).folder for new in (False, True))
    (cell,) = second.read_cells()
    assert f"reused:{first.run_id}" in cell.flags
    folders = [folder.observations(cell.cell) for folder in (first, second)]
    for name in ("utterances", "reference_turns", "chunks", "tokens"):
        columns = ["utterance_id", *({"due_s"} & {*SCHEMAS[name].names})]
        rows = [read_table(folder, name).select(columns).to_pylist() for folder in folders]
        assert sorted(rows[0], key=str) == sorted(rows[1], key=str)
    lent = read_table(folders[1], "chunks")
    lent = lent.filter(pc.invert(lent["timed"]))
    assert len(lent["utterance_id"].unique()) == 4
    assert all(lent[name].null_count == len(lent) for name in ("start_s", "service_s", "device_s"))
    rates = [
        {(m.metric, m.scheme, m.cohort): m.value for m in folder.read_measurements() if m.metric.endswith("_wer")}
        for folder in (first, second)
    ]
    assert rates[0] == rates[1]
    assert rates[0]["orc_wer", "all", "all"] is not None
    compared = compare(first.path, second.path, results=tmp_path / "results")
    assert [change.change for change in compared.changes if change.metric == "orc_wer"] == [0.0]
