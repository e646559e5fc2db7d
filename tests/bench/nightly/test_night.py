"""Whole nights over tones, in this process: good, worse, accepted, interrupted; with a model that changes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import tones
from filelock import FileLock
from workers import work_here

from earmark.bench import nightly, observing
from earmark.bench.api import InputError
from earmark.bench.nightly import judging, records, watch
from earmark.bench.nightly.records import Finding
from earmark.bench.preflight import Request

pytestmark = pytest.mark.slow

SUITE = """
schema = 1
name = "unit"
[defaults]
chunk_ms = [100]
passes = 2
timing_recordings = 4
[[train]]
id = "words"
task = "recognition"
plugins = ["sings"]
[[measure]]
of = ["words"]
corpus = ["tones"]
cohorts = ["accent"]
"""
PLUGIN = """
from dataclasses import replace
import tones
from earmark.bench.api import ModelSpec, Token
SPEC = ModelSpec("sings", "recognition", "sings:build", ("tiny",), "MIT", "tests", pretrained=True)
LOST = {lost}
class Stream(tones.ToneStream):
    def accept(self, samples):
        update = super().accept(samples)
        return replace(update, final=tuple(t for t in update.final if t.text != LOST))
class Model(tones.ToneRecognizer):
    def stream(self, condition=None):
        {broken}return Stream()
def build(preset, **rest):
    return Model()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work_here(monkeypatch, [observing], lambda job: str(job["cell"]["plugin"]))
    monkeypatch.setattr("earmark.bench.executors.worker.peak_rss_mib", lambda: 500.0)  # that of the whole test process
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    tones.write_tones(tmp_path / "tones")
    (tmp_path / "unit.toml").write_text(SUITE, encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's load, idle unless a test says otherwise."""
    average = [0.0]
    monkeypatch.setattr("os.getloadavg", lambda: (average[0], 0.0, 0.0))
    return average


def go(place: Path, *, lost: str = "", broken: str = "") -> watch.Report:
    """A night with the plugin as it is now; another process would not know the one before."""
    sys.modules.pop("sings", None)
    shutil.rmtree(place / "__pycache__", ignore_errors=True)
    (place / "sings.py").write_text(PLUGIN.format(lost=repr(lost), broken=broken), encoding="utf-8")
    request = Request(
        str(place / "unit.toml"), corpus=str(place / "tones"), plugin_files=(place / "sings.py",), device=("cpu",),
        results=place / "results", quiet=True, new=True,
    )  # fmt: skip
    return nightly.night(nightly.Wish(request, tolerance=1e9, feed="none"), lambda _line: None)


def test_the_first_night_is_good_and_says_that_there_is_nothing_to_compare_with(place: Path) -> None:
    report = go(place)
    assert (report.night.verdict, report.night.baseline, report.exit_code) == ("good", None, 0)
    assert "NOTHING GOT WORSE (1 cells on cpu" in report.text
    assert "nothing to compare with" in report.text
    assert (place / "results" / "board" / "index.html").is_file()


def test_a_night_like_the_last_one_is_good(place: Path) -> None:
    first = go(place)
    second = go(place)
    assert second.night.run_id != first.night.run_id
    assert (second.night.verdict, second.night.baseline) == ("good", first.night.run_id)


def test_a_loss_is_named_held_against_the_last_good_night_and_can_be_accepted(place: Path) -> None:
    """24 speakers say 8 words; 36 of 192 are heard wrongly. Three of everybody's eight are ``la``: 72 more."""
    first = go(place)
    worse = go(place, lost=" la")
    (finding,) = worse.night.findings
    assert (finding.kind, worse.exit_code) == ("quality", 1)
    assert finding.label == "sings (tones/measure clean cpu, 100 ms), seed 0"
    assert finding.text.startswith("wer 18.8 -> 56.2 %")
    assert "1 WORSE" in worse.text
    still = go(place, lost=" la")
    assert (still.night.verdict, still.night.baseline) == ("worse", first.night.run_id)
    nightly.accept(place / "results", "unit", still.night.run_id)
    after = go(place, lost=" la")
    assert (after.night.verdict, after.night.baseline) == ("good", still.night.run_id)


def test_a_model_that_breaks_is_named_once(place: Path) -> None:
    go(place)
    report = go(place, broken="raise RuntimeError('out of tune'); ")
    (finding,) = report.night.findings
    assert finding.kind == "failed"
    assert "out of tune" in finding.text
    assert report.exit_code == 1


def test_a_night_killed_before_its_verdict_is_judged_and_not_measured_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(place)
    with monkeypatch.context() as patched:
        patched.setattr(watch, "judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go(place)
    (unjudged,) = (n for n in records.read(place / "results", "unit") if n.verdict == "unjudged")
    report = go(place)
    assert (report.night.run_id, report.night.baseline) == (unjudged.run_id, first.night.run_id)
    assert len(records.read(place / "results", "unit")) == 2


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_two_nights_at_once_are_refused(place: Path) -> None:
    folder = records.folder_of(place / "results", "unit")
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(InputError, match="another night is at work"):
        go(place)


def test_what_goes_wrong_beside_the_models_is_told_and_costs_no_verdict(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(watch.board, "build_board", full)
    report = go(place)
    assert report.exit_code == 0
    assert "page: OSError: disk full" in report.text


def test_a_night_that_can_not_be_compared_is_no_good_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlike(*_: Any) -> None:
        raise InputError("another corpus", where="compare")

    first = go(place)
    with monkeypatch.context() as patched:
        patched.setattr(watch, "judge", unlike)
        second = go(place)
    assert (second.exit_code, second.night.verdict) == (1, "worse")
    assert [f.kind for f in second.night.findings] == ["uncompared"]
    assert second.text.startswith("unit: NOT COMPARED (1 cells on cpu")
    assert "another corpus" in second.text
    assert go(place).night.baseline == first.night.run_id


def test_a_doubt_is_named_only_when_it_is_seen_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def judge(*arguments: Any) -> judging.Judged:
        found = judging.judge(*arguments)
        label = next(iter(found.plugin_of))
        judged.append(label)
        doubts = {label: "3.00 x the wall time"} if len(judged) in (1, 3, 4) else {}
        return judging.Judged(found.comparison, found.findings, doubts, 1.0, found.plugin_of)

    monkeypatch.setattr(watch, "judge", judge)
    go(place)
    once = go(place)
    assert (once.night.verdict, len(judged)) == ("good", 2)
    assert "slow once and not when measured again" in once.text
    twice = go(place)
    assert len(judged) == 4
    assert [f.kind for f in twice.night.findings] == ["slower"]
    assert "again when measured once more" in twice.night.findings[0].text


def test_on_a_busy_machine_a_clock_names_nobody(
    place: Path, load: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(*arguments: Any) -> judging.Judged:
        found = judging.judge(*arguments)
        doubts = dict.fromkeys(found.plugin_of, "3.00 x the wall time")
        return judging.Judged(found.comparison, found.findings, doubts, 1.0, found.plugin_of)

    monkeypatch.setattr(watch, "judge", judge)
    go(place)
    load[0] = 1000.0
    busy = go(place)
    assert busy.exit_code == 0
    assert "slower by the clock alone on a busy machine (load 1000.0 on" in busy.text
    load[0] = 0.0
    assert [f.kind for f in go(place).night.findings] == ["slower"]


def test_the_record_is_what_the_screen_says(place: Path) -> None:
    go(place)
    report = go(place, lost=" la")
    path = records.folder_of(place / "results", "unit") / report.night.run_id
    stored = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    assert [Finding(**found) for found in stored["findings"]] == report.night.findings
    assert path.with_name(f"{path.name}.txt").read_text(encoding="utf-8") == report.text + "\n"
