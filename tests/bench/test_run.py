"""A whole run over tones, in this process: every score by hand, resuming, reuse, and what does not succeed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import soundfile
import tones

from earmark.bench import observing, preflight, run, score
from earmark.bench.api import InputError
from earmark.bench.executors.local import Ended
from earmark.bench.executors.worker import run_job
from earmark.bench.metrics.names import METRICS
from earmark.bench.preflight import Request
from earmark.bench.rows import Measurement
from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

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
plugins = ["tones"]
[[train]]
id = "voices"
task = "verification"
plugins = ["hums"]
[[measure]]
of = ["words", "voices"]
corpus = ["tones"]
cohorts = ["accent"]
"""


def here(job: Mapping[str, Any], *, advance: Callable[[int, int, str], None], **_limits: Any) -> Ended:
    """A worker without a process of its own; pinning would pin the tests."""
    message = run_job(job, lambda m: advance(m["done"], m["total"], m["what"]))
    return Ended(
        message["status"], message.get("reason"), tuple(message.get("flags", ())),
        tuple(message.get("trained_on", ())), bool(message.get("bad_input")),
    )  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tones.write_tones(tmp_path_factory.mktemp("corpora") / "tones")


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(observing, "run_cell", here)
    monkeypatch.setattr("earmark.bench.executors.worker._pin", lambda _threads: None)
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))


def request(tmp_path: Path, corpus: Path, **changes: Any) -> Request:
    path = tmp_path / "unit.toml"
    path.write_text(SUITE, encoding="utf-8")
    base: dict[str, Any] = {
        "suite": str(path), "corpus": str(corpus), "plugin_files": (Path(tones.__file__),),
        "results": tmp_path / "results", "quiet": True,
    }  # fmt: skip
    return Request(**(base | changes))


def go(asked: Request) -> run.Outcome:
    return run.run_suite(asked, lambda _line: None)


def rows_of(folder: RunFolder, plugin: str = "tones") -> dict[tuple[str, str, str], Measurement]:
    """One model's rows by scheme, cohort and metric."""
    cells = {cell.cell for cell in folder.read_cells() if cell.plugin == plugin}
    return {(m.scheme, m.cohort, m.metric): m for m in folder.read_measurements() if m.cell in cells}


def steady(folder: RunFolder) -> list[dict[str, Any]]:
    """What must be the same whenever and wherever the same plan is run."""
    kinds = ("quality", "compute")
    rows = [m.model_dump() for m in folder.read_measurements() if METRICS[m.metric].kind in kinds]
    return [{k: v for k, v in row.items() if k != "flags"} for row in rows]


def test_every_score_by_hand(tmp_path: Path, corpus: Path) -> None:
    """24 speakers say 8 words, 3 of them ``so``; the 12 of accent b are heard wrongly there: WER 0, 3/8, 3/16."""
    outcome = go(request(tmp_path, corpus))
    assert (outcome.measured, outcome.exit_code) == (2, 0)
    found = rows_of(outcome.folder)
    assert found["all", "all", "wer"].value == pytest.approx(36 / 192)
    assert (found["all", "all", "wer"].numerator, found["all", "all", "wer"].n_speakers) == (36, 24)
    assert found["accent", "a", "wer"].value == 0.0
    assert found["accent", "b", "wer"].value == pytest.approx(3 / 8)
    assert found["accent", "*", "gap_abs"].value == pytest.approx(3 / 8)
    assert {"bottom:b", "top:a"} <= set(found["accent", "*", "gap_abs"].flags)
    assert found["all", "all", "macs_per_audio_second"].value == pytest.approx(3 * tones.WORD / 0.2)
    assert found["all", "all", "flops_per_audio_second"].value == pytest.approx(6 * tones.WORD / 0.2)
    assert found["all", "all", "n_parameters"].value == 3
    voices = rows_of(outcome.folder, "hums")
    assert voices["all", "all", "eer"].value == pytest.approx(0.0, abs=1e-9)
    assert voices["all", "all", "macs_per_audio_second"].status == "unsupported"
    assert voices["accent", "a", "eer"].status == "insufficient"  # without errors there is no telling how many


def test_delays_by_hand(tmp_path: Path, corpus: Path) -> None:
    """Words end where every second chunk does: final in that very chunk, first shown half a word earlier."""
    found = rows_of(go(request(tmp_path, corpus)).folder)
    emission = found["all", "all", "emission_p50"]
    assert emission.value == pytest.approx(0.0, abs=1e-6)
    assert emission.coverage is not None
    assert 0.625 <= emission.coverage <= 1.0
    final, first = found["all", "all", "upl_final_p50"].value, found["all", "all", "upl_first_p50"].value
    assert final is not None
    assert first is not None
    assert 0 < final < 50
    assert first == pytest.approx(-100, abs=50)
    assert found["all", "all", "rtf_streaming"].n == 4
    assert found["all", "all", "partial_revisions_per_word"].value == 0.0


def test_a_complete_run_is_not_measured_again(tmp_path: Path, corpus: Path) -> None:
    asked = request(tmp_path, corpus)
    first, second = go(asked), go(asked)
    assert (second.folder, second.measured) == (first.folder, 0)
    assert first.folder.read_run().complete


def test_another_plan_is_another_run(tmp_path: Path, corpus: Path) -> None:
    first = go(request(tmp_path, corpus))
    second = go(request(tmp_path, corpus, limit=8, plugins=("tones",)))
    assert first.folder != second.folder
    assert rows_of(second.folder)["all", "all", "wer"].n == 8
    assert "limit:8" in rows_of(second.folder)["all", "all", "wer"].flags


def test_a_killed_run_continues_and_ends_with_the_same_tables(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = go(request(tmp_path, corpus, results=tmp_path / "undisturbed")).folder
    calls = []

    def killed(job: Mapping[str, Any], **rest: Any) -> Ended:
        calls.append(job)
        if len(calls) == 2:
            (Path(job["folder"]) / "tokens.parquet").write_bytes(b"half a file")
            raise KeyboardInterrupt
        return here(job, **rest)

    monkeypatch.setattr(observing, "run_cell", killed)
    asked = request(tmp_path, corpus)
    with pytest.raises(KeyboardInterrupt):
        go(asked)
    monkeypatch.setattr(observing, "run_cell", here)
    outcome = go(asked)
    assert outcome.measured == 1
    assert steady(outcome.folder) == steady(undisturbed)
    assert not (outcome.folder.path / "partial").exists()


def test_a_new_run_reuses_quality_and_says_so(tmp_path: Path, corpus: Path) -> None:
    first = go(request(tmp_path, corpus))
    second = go(request(tmp_path, corpus, new=True))
    assert second.folder != first.folder
    assert steady(second.folder) == steady(first.folder)
    flag = f"reused:{first.folder.run_id}"
    assert all(flag in cell.flags for cell in second.folder.read_cells())
    third = go(request(tmp_path, corpus, new=True))
    assert all(flag in cell.flags for cell in third.folder.read_cells())  # the origin, not the last link


def test_a_new_run_streams_only_what_it_times(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(request(tmp_path, corpus))
    totals = []

    def counting(job: Mapping[str, Any], **rest: Any) -> Ended:
        seen: list[int] = []
        ended = here(job, **(rest | {"advance": lambda _done, total, _what: seen.append(total)}))
        totals.append(seen[-1])
        return ended

    monkeypatch.setattr(observing, "run_cell", counting)
    go(request(tmp_path, corpus, new=True))
    assert totals == [8, 8]  # 4 timed recordings in 2 passes


def test_scoring_again_gives_the_same_bytes(tmp_path: Path, corpus: Path) -> None:
    folder = go(request(tmp_path, corpus)).folder
    path = folder.path / "measurements.jsonl"
    before = path.read_bytes()
    score.score_run(folder)
    assert path.read_bytes() == before


def test_another_normalizer_needs_no_model(tmp_path: Path, corpus: Path) -> None:
    """Raw references are "La mi so la." and "So so mi la.": first and last word of each are missed by all."""
    folder = go(request(tmp_path, corpus)).folder
    before = (folder.path / "measurements.jsonl").read_bytes()
    score.score_run(folder, "raw-1")
    wer = rows_of(folder)["all", "all", "wer"]
    assert (wer.normalizer, wer.numerator) == ("raw-1", 24 * 4 + 12 * 2)
    assert folder.read_run().normalizer == "raw-1"
    score.score_run(folder, "basic-1")
    assert (folder.path / "measurements.jsonl").read_bytes() == before
    with pytest.raises(InputError, match="basic-2"):
        score.score_run(folder, "basic-2")


def test_old_timings_are_never_lent(tmp_path: Path, corpus: Path) -> None:
    """Whatever the number of passes, a new run's clock is its own: that of the timed recordings and of no others."""
    asked = request(tmp_path, corpus, overrides=("passes=1",))
    go(asked)
    folder = go(request(tmp_path, corpus, overrides=("passes=1",), new=True)).folder
    assert rows_of(folder)["all", "all", "rtf_streaming"].n == 4
    for cell in folder.read_cells():
        chunks = read_table(folder.observations(cell.cell), "chunks")
        clocked = chunks.filter(pc.is_valid(chunks["service_s"]))
        assert len(set(clocked["utterance_id"].to_pylist())) == 4
        assert set(clocked["timed"].to_pylist()) == {True}
        assert set(chunks.filter(pc.is_null(chunks["service_s"]))["timed"].to_pylist()) == {False}


def test_a_killed_new_run_is_continued_as_a_new_run(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(request(tmp_path, corpus)).folder
    calls = []

    def killed(job: Mapping[str, Any], **rest: Any) -> Ended:
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return here(job, **rest)

    monkeypatch.setattr(observing, "run_cell", killed)
    with pytest.raises(KeyboardInterrupt):
        go(request(tmp_path, corpus, new=True))
    monkeypatch.setattr(observing, "run_cell", here)
    outcome = go(request(tmp_path, corpus, new=True))
    assert outcome.measured == 1
    assert all(f"reused:{first.run_id}" in cell.flags for cell in outcome.folder.read_cells())
    assert outcome.folder.read_run().plugins["tones"].trained_on == ["scales"]


def test_a_cell_that_cannot_be_scored_fails_by_itself(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object, **__: object) -> None:
        raise OverflowError("math range error")

    monkeypatch.setattr("earmark.bench.score.voice_cohorts.eer_cohorts", overflow)
    outcome = go(request(tmp_path, corpus))
    cells = {cell.plugin: cell for cell in outcome.folder.read_cells()}
    assert (outcome.exit_code, cells["tones"].status, cells["hums"].status) == (1, "ok", "failed")
    assert cells["hums"].reason == "scoring: OverflowError: math range error"


def test_recordings_without_a_speaker_are_left_out_of_cohorts_and_of_verification(tmp_path: Path) -> None:
    folder = tones.write_tones(tmp_path / "some", 24)
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for line in lines[:3]:
        line["speaker"] = None
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    outcome = go(request(tmp_path, folder))
    found = rows_of(outcome.folder)
    assert (found["all", "all", "wer"].n, found["all", "all", "wer"].n_speakers) == (48, 23)
    assert "unnamed_utterances:3" in found["all", "all", "wer"].flags
    assert found["accent", "b", "wer"].value == pytest.approx(35 / 92)  # without the 4 words, one wrong, of s01-0
    again = go(request(tmp_path, folder, new=True)).folder
    for plugin in ("tones", "hums"):
        name = "rtf_streaming" if plugin == "tones" else "rtf_offline"
        assert (
            rows_of(again, plugin)["all", "all", name].n == rows_of(outcome.folder, plugin)["all", "all", name].n == 4
        )


@pytest.mark.parametrize(
    ("plugin", "status", "reason", "code"),
    [
        ("breaks", "failed", "RuntimeError: out of tune", 1),
        ("lacks", "unsupported", "no-such-package", 0),
        ("declines", "unsupported", "no ear for it", 0),
    ],
)
def test_what_does_not_succeed_is_a_row_and_stops_nobody(
    tmp_path: Path, corpus: Path, plugin: str, status: str, reason: str, code: int
) -> None:
    outcome = go(request(tmp_path, corpus, plugins=(plugin, "tones", "hums")))
    assert outcome.exit_code == code
    cells = {cell.plugin: cell for cell in outcome.folder.read_cells()}
    assert {name: cell.status for name, cell in cells.items()} == {plugin: status, "tones": "ok", "hums": "ok"}
    assert reason in (cells[plugin].reason or "")
    absent = [m for m in outcome.folder.read_measurements() if m.cell == cells[plugin].cell]
    assert {m.metric for m in absent} == {"wer", "rtf_streaming", "macs_per_audio_second", "gap_rel"}
    assert {(m.status, m.value) for m in absent} == {(status, None)}


def test_audio_that_is_no_audio_is_found_before_anything_is_measured(tmp_path: Path) -> None:
    folder = tones.write_tones(tmp_path / "bad", 4)
    samples = np.full(4 * tones.WORD, np.nan, dtype=np.float32)
    soundfile.write(folder / "audio" / "s01-0.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match="NaN"):
        go(request(tmp_path, folder))


def test_too_few_speakers_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    two = tones.write_tones(tmp_path / "two", 2)
    with pytest.raises(InputError, match="at least 3 speakers"):
        go(request(tmp_path, two))
    outcome = go(request(tmp_path, two, plugins=("tones",)))
    cohort = rows_of(outcome.folder)["accent", "b", "wer"]
    assert (cohort.status, cohort.value) == ("insufficient", pytest.approx(3 / 8))


def test_no_speakers_gives_error_rates_and_claims_nothing_of_cohorts(tmp_path: Path) -> None:
    folder = tones.write_tones(tmp_path / "nobody", 6, speaker=None, split="measure")
    with pytest.raises(InputError, match="no speakers"):
        go(request(tmp_path, folder))
    found = rows_of(go(request(tmp_path, folder, plugins=("tones",))).folder)
    wer = found["all", "all", "wer"]
    assert wer.n_speakers is None
    assert "no_speakers" in wer.flags
    assert "over utterances" in (wer.ci_method or "")
    assert not any(cohort == "b" for _, cohort, _ in found)
    assert found["accent", "*", "wer"].reason == "the corpus names no speakers"


def test_excluded_recordings_are_said(tmp_path: Path, corpus: Path) -> None:
    outcome = go(request(tmp_path, corpus, plugins=("tones",), overrides=("measure.exclude.accent=b",)))
    wer = rows_of(outcome.folder)["all", "all", "wer"]
    assert (wer.value, wer.n) == (0.0, 24)
    assert "excluded:accent=b" in wer.flags


def test_provenance_is_written(tmp_path: Path, corpus: Path) -> None:
    folder = go(request(tmp_path, corpus, command=("earmark", "run"))).folder
    written = folder.read_run()
    assert written.plugins["tones"].trained_on == ["scales"]
    assert written.corpora["tones"].n_utterances == 50
    assert set(written.files) >= {"cells.jsonl", "measurements.jsonl", "plan.json"}
    published = [path.read_text() for path in folder.path.glob("*.json*")]
    assert not any(str(tmp_path) in text for text in published)


def test_two_runs_at_once_are_refused(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(tmp_path, corpus)

    def meanwhile(job: Mapping[str, Any], **rest: Any) -> Ended:
        with pytest.raises(InputError, match="another process is at work"):
            go(asked)
        return here(job, **rest)

    monkeypatch.setattr(observing, "run_cell", meanwhile)
    go(asked)


def test_the_estimate_counts_audio_once_and_timed_audio_again(tmp_path: Path, corpus: Path) -> None:
    """48 recordings of 0.8 s for each of two cells, 4 of them once more."""
    cost = preflight.estimate(preflight.prepare(request(tmp_path, corpus)))
    assert cost.audio_s == pytest.approx(2 * (48 + 4) * 0.8)
    with pytest.raises(InputError, match="MiB are free"):
        preflight.check_disk(preflight.Estimate(1, 1.0, disk_mib=10.0, free_mib=5.0))
