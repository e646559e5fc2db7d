"""Real workers: what kills, stalls or hoards costs its own cell; a killed run ends with the same tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import tones

from earmark.bench.executors.local import Ended, run_cell
from earmark.bench.metrics.names import METRICS

pytestmark = pytest.mark.slow

PLUGIN = """
import os, time
import numpy as np
from earmark.bench.api import ModelSpec
from tones import ToneRecognizer
NAMES = ("stalls", "hoards", "dies", "slow", "forks")
SPECS = tuple(ModelSpec(n, "recognition", f"rough:{n}", ("tiny",), "MIT", "tests") for n in NAMES)
class Stalls(ToneRecognizer):
    def stream(self, condition=None):
        time.sleep(600)
class Hoards(ToneRecognizer):
    def stream(self, condition=None):
        self.hoard = np.ones(400_000_000 // 8)
        self.more = np.ones(400_000_000 // 8)
        time.sleep(600)
class Dies(ToneRecognizer):
    def stream(self, condition=None):
        os.kill(os.getpid(), 11)
class Forks(ToneRecognizer):
    def stream(self, condition=None):
        if os.fork() == 0:
            time.sleep(600)
        os.kill(os.getpid(), 11)
class Slow(ToneRecognizer):
    def stream(self, condition=None):
        time.sleep(0.05)
        return super().stream()
def stalls(preset, **rest): return Stalls()
def hoards(preset, **rest): return Hoards()
def dies(preset, **rest): return Dies()
def forks(preset, **rest): return Forks()
def slow(preset, **rest): return Slow()
"""
STOP = threading.Event()
STOP.set()
SUITE = """
schema = 1
name = "unit"
[defaults]
passes = 1
[[train]]
id = "words"
task = "recognition"
plugins = ["slow"]
[[measure]]
of = ["words"]
corpus = ["tones"]
condition = ["clean", "snr10"]
cohorts = ["accent"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tones.write_tones(tmp_path / "tones", 24)
    (tmp_path / "rough.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "unit.toml").write_text(SUITE, encoding="utf-8")
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    here = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": here, "EARMARK_CACHE": str(place / "cache")}


def start(place: Path, results: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "earmark", "run", "unit.toml", "--corpus", "tones", "--plugin", "rough.py"]
    return subprocess.Popen(
        [*command, "--results", results, *more], cwd=place, env=environment(place), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def steady(place: Path, results: str) -> list[dict[str, Any]]:
    (path,) = (place / results).glob("v1/unit/*/measurements.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if METRICS[row["metric"]].kind in ("quality", "compute")]


def test_kill_9_in_the_middle_of_observing(place: Path) -> None:
    code, output = finish(start(place, "undisturbed"))
    assert code == 0, output
    process = start(place, "killed")
    partial: list[Path] = []
    deadline = time.monotonic() + 60
    while not partial and time.monotonic() < deadline:
        time.sleep(0.05)
        partial = list((place / "killed").glob("v1/unit/*/partial/*"))
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert partial
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "a worker outlived its driver"
    code, output = finish(start(place, "killed"))
    assert code == 0
    assert "continuing run" in output
    assert steady(place, "killed") == steady(place, "undisturbed")
    code, output = finish(start(place, "killed"))
    assert code == 0
    assert "nothing was measured" in output


@pytest.mark.parametrize(
    ("plugin", "limits", "status", "reason"),
    [
        ("stalls", {"timeout_s": 6.0}, "timeout", "not done after 0.1 minutes"),
        ("hoards", {"memory_mib": 900}, "out_of_memory", "of 900 MiB"),
        ("dies", {}, "failed", "signal 11"),
        ("forks", {}, "failed", "signal 11"),
        ("stalls", {"stopped": STOP}, "failed", "stopped with the run"),
    ],
)
def test_what_a_worker_does_to_itself(
    place: Path, monkeypatch: pytest.MonkeyPatch, plugin: str, limits: dict[str, Any], status: str, reason: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment(place)["PYTHONPATH"])
    job = {
        "cell": {
            "cell": "x", "train_key": "t", "task": "recognition", "plugin": plugin, "preset": "tiny", "options": {},
            "vocabulary": None, "corpus": "tones", "corpus_fingerprint": "f", "split": "measure", "condition": "clean",
            "seed": 0, "device": "cpu", "threads": 1, "chunk_ms": 100, "pacing": "virtual", "passes": 1,
            "timing_recordings": None, "limit": None, "exclude": {}, "timeout_minutes": 1.0, "memory_mib": None,
            "cohorts": [], "metrics": ["wer"],
        },
        "threads": 1,
        "corpus": str(place / "tones"), "cache": str(place / "cache"), "plugin_files": [str(place / "rough.py")],
        "folder": str(place / "out"), "only_timed": False,
    }  # fmt: skip
    wide: dict[str, Any] = {"timeout_s": 60.0, "memory_mib": 4000}
    ended = run_cell(job, log=place / "log.txt", advance=lambda *_: None, **(wide | limits))
    assert isinstance(ended, Ended)
    assert (ended.status, reason in (ended.reason or "")) == (status, True), ended
