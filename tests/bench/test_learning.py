"""Training as part of a run: a checkpoint is made once, kept, checked, shared, and survives being killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tones
from fakes import recognizer
from workers import work_here

from earmark.bench import learning, observing, provenance, run
from earmark.bench.api import InputError
from earmark.bench.executors import teaching
from earmark.bench.executors.local import STOPPED, Ended
from earmark.bench.preflight import Request
from earmark.bench.rows import Cell
from earmark.bench.training import checkpoint

pytestmark = pytest.mark.slow

HONEST = Path(__file__).parents[1] / "plugins" / "honest.py"
SUITE = """
schema = 1
name = "unit"
[defaults]
passes = 1
[[train]]
id = "words"
task = "recognition"
plugins = ["honest"]
corpus = "tones"
steps = 4
pieces = 8
recipe = { threads = 1 }
[[measure]]
of = ["words"]
corpus = ["tones"]
cohorts = []
slices = ["accent", "nothing"]
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tones.write_tones(tmp_path_factory.mktemp("corpora") / "tones", 6)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the workers were asked to do; they run in this process, unpinned."""
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return work_here(monkeypatch, (observing, learning), lambda job: "train" if "training" in job else "observe")


def go(tmp_path: Path, corpus: Path, text: str = SUITE, **changes: Any) -> run.Outcome:
    path = tmp_path / "unit.toml"
    path.write_text(text, encoding="utf-8")
    base: dict[str, Any] = {
        "suite": str(path), "corpus": str(corpus), "results": tmp_path / "results", "quiet": True,
        "plugin_files": (HONEST, Path(tones.__file__)),
    }  # fmt: skip
    return run.run_suite(Request(**(base | changes)), lambda _line: None)


def only_cell(outcome: run.Outcome) -> Cell:
    (cell,) = outcome.folder.read_cells()
    return cell


def test_a_checkpoint_is_trained_once_and_told_of(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus)
    cell, told = only_cell(outcome), outcome.folder.read_run()
    assert (cell.status, cell.train_corpus, cell.steps) == ("ok", "tones", 4)
    facts = told.checkpoints[cell.train_key]
    assert facts["sha256"] == checkpoint.config_of(learning.checkpoint_folder(cell.train_key))["sha256"]
    assert (facts["plugin"], facts["steps"], facts["trained_on"]) == ("honest", 4, ["tones"])
    assert told.plugins["honest"].trained_on == ["tones"]
    assert not learning.state_file(cell.train_key).exists()
    go(tmp_path, corpus, new=True)
    assert jobs == ["train", "observe", "observe"]


@pytest.mark.parametrize(("threads", "wanted"), [(1, 2), (2, 1)])
def test_trainings_go_on_side_by_side_where_there_is_room(
    tmp_path: Path, corpus: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch, threads: int, wanted: int
) -> None:
    going: list[int] = []
    most, limits = 0, []

    def meet(job: Mapping[str, Any], *, memory_mib: int, **_: Any) -> Ended:
        nonlocal most
        going.append(seed := job["training"]["seed"])
        limits.append(memory_mib)
        begun = time.monotonic()
        while time.monotonic() - begun < (20 if most < wanted else 0.3):
            most = max(most, len(going))
            time.sleep(0.01)
        going.remove(seed)
        return Ended("failed", f"seed {seed} broke")

    monkeypatch.setattr(learning, "run_cell", meet)
    monkeypatch.setattr(learning, "_processors", lambda: 2)
    text = SUITE.replace("threads = 1", f"threads = {threads}")
    cells = go(tmp_path, corpus, text, seeds=(0, 1, 2)).folder.read_cells()
    assert most == wanted
    assert limits == [int(0.8 * provenance.memory_mib() / wanted)] * 3
    assert {cell.seed: cell.reason for cell in cells} == {n: f"training: seed {n} broke" for n in (0, 1, 2)}


def test_only_what_is_to_be_trained_shares_the_machine(
    tmp_path: Path, corpus: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two models one has its checkpoint: the other may have all memory."""
    monkeypatch.setattr(learning, "_processors", lambda: 2)
    go(tmp_path, corpus)
    limits: list[int] = []

    def break_down(_job: Mapping[str, Any], *, memory_mib: int, **_: Any) -> Ended:
        limits.append(memory_mib)
        raise OSError("disk full")

    monkeypatch.setattr(learning, "run_cell", break_down)
    cells = {cell.seed: cell for cell in go(tmp_path, corpus, seeds=(0, 1)).folder.read_cells()}
    assert limits == [int(0.8 * provenance.memory_mib())]
    assert (cells[0].status, cells[1].status, cells[1].reason) == ("ok", "failed", "training: OSError: disk full")


def test_how_many_go_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def trainings(n: int, device: str = "cpu", threads: int = 1) -> list[Any]:
        return [SimpleNamespace(device=device, threads=threads) for _ in range(n)]

    monkeypatch.setattr(learning, "_processors", lambda: 8)
    monkeypatch.setattr(provenance, "memory_mib", lambda: 4 * learning.LEAST_MIB)
    found = [trainings(0), trainings(3), trainings(9), trainings(9, threads=4), trainings(9, threads=16)]
    assert [learning.at_once(wanted) for wanted in found] == [1, 3, 4, 2, 1]
    assert learning.at_once(trainings(2, device="cuda")) == 1


def test_a_run_that_is_stopped_stops_its_trainings(
    tmp_path: Path, corpus: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []

    def meet(job: Mapping[str, Any], *, stopped_event: threading.Event, **_: Any) -> Ended:
        if job["training"]["seed"] == 0:
            raise KeyboardInterrupt
        assert stopped_event.wait(20)
        stopped.append(job["training"]["seed"])
        return STOPPED

    monkeypatch.setattr(learning, "run_cell", lambda job, *, stopped, **rest: meet(job, stopped_event=stopped, **rest))
    monkeypatch.setattr(learning, "_processors", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, corpus, seeds=(0, 1, 2))
    assert 1 in stopped


def test_what_decides_the_weights_decides_the_key(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    base = only_cell(go(tmp_path, corpus)).train_key
    others = [("steps = 4", "steps = 5"), ("pieces = 8", "pieces = 9"), ("threads = 1", "threads = 1, clip = 1.0")]
    keys = {only_cell(go(tmp_path, corpus, SUITE.replace(old, new))).train_key for old, new in others}
    keys.add(only_cell(go(tmp_path, corpus, seeds=(7,))).train_key)
    assert len(keys | {base}) == 5
    assert only_cell(go(tmp_path, corpus, SUITE.replace("passes = 1", "passes = 2"))).train_key == base
    assert jobs.count("train") == 5


GOING_ON = (
    SUITE.partition("[[measure]]")[0]
    + """
[[train]]
id = "more"
of = "words"
task = "recognition"
plugins = ["honest"]
corpus = "tones"
steps = 2
recipe = { threads = 1 }
[[train]]
id = "same"
of = "more"
task = "recognition"
plugins = ["honest"]
[[measure]]
of = ["same", "more"]
corpus = ["tones"]
cohorts = []
"""
)


def test_a_training_goes_on_from_another_s_weights(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus, GOING_ON)
    told = outcome.folder.read_run().checkpoints
    first, more, same = sorted(told.values(), key=lambda facts: (facts["steps"], "base" not in facts))[::-1]
    assert [facts["steps"] for facts in (first, more, same)] == [4, 2, 0]
    assert (more["base_sha256"], same["base_sha256"]) == (first["sha256"], more["sha256"])
    assert same["sha256"] == more["sha256"] != first["sha256"]
    assert same["trained_on"] == ["tones"]
    flags = [flag for cell in outcome.folder.read_cells() for flag in cell.flags if flag.startswith("train:")]
    assert sorted(flags) == ["train:more", "train:same"]
    assert jobs == ["train"] * 3 + ["observe"] * 2


def test_what_cannot_begin_takes_what_goes_on_from_it_along(
    tmp_path: Path, corpus: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "_build", lambda *_: 1 / 0)
    cells = go(tmp_path, corpus, GOING_ON).folder.read_cells()
    assert [(cell.status, cell.reason) for cell in cells] == [
        ("failed", "training: ZeroDivisionError: division by zero")
    ] * 2
    assert jobs == ["train"]


def test_weights_of_another_shape_are_refused(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    cell = only_cell(go(tmp_path, corpus))
    folder = learning.checkpoint_folder(cell.train_key)
    state, config = checkpoint.read(folder)
    training = SimpleNamespace(plugin="honest", preset="tiny", options={}, seed=0, device="cpu")
    for weights, message in [
        ({"other": state["out.bias"]}, "no tensor of it"),
        ({"out.bias": state["out.bias"][1:]}, "out.bias is"),
    ]:
        checkpoint.write(folder, weights, config)
        with pytest.raises(InputError, match=message):
            teaching.begin_with(recognizer.build, folder, training)  # type: ignore[arg-type]


def test_slices_of_utterances_and_the_offline_form_are_scored(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    rows = go(tmp_path, corpus).folder.read_measurements()
    wer = {(row.scheme, row.cohort): row for row in rows if row.metric == "wer"}
    whole, parts = wer["all", "all"], [wer["accent", name] for name in "ab"]
    assert whole.denominator == sum(row.denominator or 0 for row in parts)
    assert whole.numerator == sum(row.numerator or 0 for row in parts)
    assert (wer["nothing", "*"].status, wer["nothing", "*"].reason) == (
        "unsupported", "the corpus has no column 'nothing'",
    )  # fmt: skip
    (offline,) = (row for row in rows if row.metric == "wer_offline")
    (differ,) = (row for row in rows if row.metric == "offline_disagreement")
    assert (offline.numerator, offline.denominator) == (whole.numerator, whole.denominator)
    assert (differ.value, differ.n) == (0.0, 12)


def test_a_model_that_cannot_be_trained_is_unsupported(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus, SUITE.replace('["honest"]', '["tones"]'))
    assert only_cell(outcome).status == "unsupported"
    assert only_cell(outcome).reason == "training: tones can't be trained: it has no parts()"
    assert outcome.exit_code == 0
    assert jobs == ["train"]


def test_training_that_fails_fails_its_cells_alone(
    tmp_path: Path, corpus: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ValueError("the loop broke")

    monkeypatch.setattr("earmark.bench.training.loop.fit", break_down)
    cell = only_cell(outcome := go(tmp_path, corpus))
    assert (cell.status, cell.reason, outcome.exit_code) == ("failed", "training: ValueError: the loop broke", 1)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    key = only_cell(go(tmp_path, corpus)).train_key
    weights = learning.checkpoint_folder(key) / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    cell = only_cell(go(tmp_path, corpus, new=True))
    assert cell.status == "failed"
    assert "is not the file that was written with it; delete its folder" in (cell.reason or "")
    (weights.parent / checkpoint.CONFIG).write_text("{", encoding="utf-8")
    cell = only_cell(outcome := go(tmp_path, corpus, SUITE.replace("passes = 1", "passes = 2")))
    assert (cell.status, outcome.exit_code) == ("failed", 1)
    assert "config.json can't be read; delete its folder" in (cell.reason or "")


def test_transcribe_takes_the_newest_checkpoint(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    from earmark.bench import registry, transcribe

    plugin = registry.scan((HONEST,)).named("honest", "model")
    recording = str(corpus / "audio" / "s00-0.wav")

    def hear(preset: str | None = None) -> list[transcribe.Heard]:
        return list(transcribe.listen(plugin, recording, preset=preset, device="cpu", chunk_ms=100))

    with pytest.raises(InputError, match="honest has no weights yet; run a suite that trains it"):
        hear()
    go(tmp_path, corpus)
    assert hear("tiny")[-1].done
    assert learning.newest_checkpoint("honest", "paper") is None
    (config,) = (tmp_path / "cache").glob("checkpoints/*/config.json")
    weights, told = checkpoint.read(config.parent)
    shutil.rmtree(config.parent)
    checkpoint.write(config.parent, {f"old_{name}": weight for name, weight in weights.items()}, told)
    with pytest.raises(InputError, match="weights are those of another version of the model; run the suite that"):
        hear()


def test_corpus_and_steps_come_together(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    with pytest.raises(InputError, match="train block 'words' has no steps"):
        go(tmp_path, corpus, SUITE.replace("steps = 4", ""))
    with pytest.raises(InputError, match="learns its vocabulary from its corpus; leave out vocabulary"):
        go(tmp_path, corpus, SUITE.replace("pieces = 8", 'vocabulary = "corpus"'))
    with pytest.raises(InputError, match=r"unknown key 'train\.1\.recipe\.clipp'; did you mean 'clip'"):
        go(tmp_path, corpus, SUITE.replace("threads = 1", "clipp = 1"))
    assert jobs == []


def test_killed_twice_it_ends_with_the_weights_of_an_undisturbed_training(tmp_path: Path, corpus: Path) -> None:
    """SIGKILL for the driver, and with it the worker, each time as soon as a state was written."""
    text = SUITE.replace("steps = 4", "steps = 300")
    digests = []
    for name, kills in (("killed", 2), ("undisturbed", 0)):
        cache = tmp_path / name
        for _ in range(kills):
            _start_and_kill(tmp_path, corpus, text, cache)
        assert _command(tmp_path, corpus, text, cache).wait(timeout=300) == 0
        (config,) = cache.glob("checkpoints/*/config.json")
        digests.append(json.loads(config.read_text(encoding="utf-8"))["sha256"])
    assert digests[0] == digests[1]


def _command(tmp_path: Path, corpus: Path, text: str, cache: Path) -> subprocess.Popen[bytes]:
    (tmp_path / "unit.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "earmark", "run", str(tmp_path / "unit.toml"), "--corpus", str(corpus)]
    command += ["--plugin", str(HONEST), "--results", str(cache / "results")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env={**os.environ, "EARMARK_CACHE": str(cache)}, **quiet)  # type: ignore[call-overload, no-any-return]


def _start_and_kill(tmp_path: Path, corpus: Path, text: str, cache: Path) -> None:
    def states() -> list[float]:
        return [path.stat().st_mtime for path in cache.glob("checkpoints/*.state.safetensors")]

    before, process, begun = states(), _command(tmp_path, corpus, text, cache), time.monotonic()
    while states() == before:
        assert process.poll() is None
        assert time.monotonic() - begun < 300
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # the worker sees that its driver is gone
    assert states()


def test_timed_words_are_learned_as_the_text_is() -> None:
    row = {"text": "It's half-past SIX.", "segments": None, "words": [{"word": "It\u2019s", "start": 0.0, "end": 0.5}]}
    known = teaching._normalized(row)
    assert known["text"] == "it's half past six"
    assert known["words"] == [{"word": "it's", "start": 0.0, "end": 0.5}]
    assert teaching._normalized({**row, "words": None})["words"] == []
