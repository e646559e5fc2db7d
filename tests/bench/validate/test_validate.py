"""A sound run is accepted; each way of tampering is refused, with its reason."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pairs
import pytest
import tampering
from tampering import TAMPERINGS, Tampering
from typer.testing import CliRunner

from earmark.bench.api import InputError
from earmark.bench.cli import app
from earmark.bench.corpora.seen import speaker_digest
from earmark.bench.rows import Measurement
from earmark.bench.store import RunFolder
from earmark.bench.validate import validate
from earmark.bench.validate.scores import MACS_PER_CYCLE

NAME, OTHER = "20260102T030405Z-abc123-0123456", "20260102T030406Z-abc123-0123456"
STORED = sorted((Path(__file__).parents[3] / "results" / "v1" / "smoke").glob("*/run.json"))


TRIALS = Tampering("trials mended", tampering.mend_trials, "observations: .* score of trial")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "SPEAKERS", 6)
        patch.setattr(pairs, "SAID", 4)
        patch.setattr(pairs, "TIMED", 2)
        for name, start in ((NAME, "2026-01-02T03:04:05+00:00"), (OTHER, "2026-01-02T03:04:06+00:00")):
            cells = [pairs.cell("good"), pairs.cell("twin", seed=1)]
            folder = pairs.write_run(root, name, cells, plan={"timing_recordings": 2}, started_at=start)
            for cell, seed in (("good", 0), ("twin", 1)):
                pairs.hear(folder, cell, pairs.erring(0.3, seed))
            pairs.finish(folder)
    return root / "results"


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "results" / "v1" / "tiny" / NAME
    shutil.copytree(sound / "v1" / "tiny" / NAME, copied)
    return copied


def problems(run: Path) -> list[str]:
    (report,) = validate(run)
    return [str(problem) for problem in report.problems]


def refused(run: Path, reason: str) -> bool:
    return any(re.match(reason, problem) for problem in problems(run))


def test_sound_runs_are_accepted(sound: Path) -> None:
    assert [(report.problems, report.notes) for report in validate(sound)] == [((), ())] * 2


@pytest.mark.parametrize("case", TAMPERINGS, ids=lambda case: case.name)
def test_tampering_is_refused_with_its_reason(run: Path, case: Tampering) -> None:
    case.do(run)
    assert refused(run, case.reason), problems(run)


def test_a_recording_gone_from_every_table_is_missed(run: Path) -> None:
    tampering.drop_utterance_carefully(run)
    assert refused(run, r"observations: cell good: 23 recordings, of 24 in the split the plan wants 24")
    assert refused(run, r"observations: cell twin: it heard 24 recordings and cell good of the same corpus 23")


def test_a_speaker_that_trained_may_not_be_measured(run: Path) -> None:
    tampering.move_speaker(run)
    assert refused(run, "speakers: cell good: 1 speakers are not in split measure, as t00, of split train")


def test_splits_that_share_a_speaker_are_refused(run: Path) -> None:
    def both(data: dict[str, dict[str, dict[str, dict[str, list[str]]]]]) -> None:
        data["corpora"]["toy"]["speakers_by_split"]["train"].append(speaker_digest("s00"))

    tampering.edit_json(run / "run.json", both)
    assert refused(run, "speakers: run.json, toy: 1 speakers are in measure and in train")


def test_a_foreign_run_json_is_refused(sound: Path, run: Path) -> None:
    tampering.foreign_run(sound / "v1" / "tiny" / OTHER)(run)
    assert refused(run, f"identity: run.json: it is of run {OTHER}, the folder is {NAME}")
    tampering.edit_json(run / "run.json", lambda data: data.update(run_id=NAME))
    assert refused(run, f"identity: run.json: start, host and commit make the id {OTHER}, not {NAME}")


def test_a_foreign_plan_is_refused(run: Path) -> None:
    tampering.edit_json(run / "plan.json", lambda plan: plan["cells"][0].update(metrics=["wer"]))
    tampering.hash_again(run)
    assert refused(run, "identity: plan.json: its digest is")


def test_a_row_on_declared_training_data_needs_its_flag(run: Path) -> None:
    tampering.edit_json(run / "run.json", lambda data: data["plugins"]["alpha"].update(trained_on=["Toy1"]))
    assert refused(run, r"training data: cell good: alpha declares Toy1 .* no flag seen_in_training:Toy1")


def test_no_machine_is_as_fast_as_that(run: Path) -> None:
    """1e12 MACs for a second of audio, which takes 4 times 10.1 ms for 0.6 s, on one core."""
    rate = 1e12 / (4 * 0.0101 / 0.6)
    assert rate > 6e9 * MACS_PER_CYCLE["fp32"]

    def change(row: dict[str, float]) -> None:
        if row["metric"] == "macs_per_audio_second":
            row.update(value=1e12, numerator=1e12, denominator=1.0)

    tampering.edit_rows(run / "measurements.jsonl", change)
    assert refused(run, r"plausibility: cell good: rtf_streaming .* means 1\.49e\+13 MAC/s")


def test_a_run_is_as_long_as_what_it_measured(run: Path) -> None:
    tampering.edit_json(run / "run.json", lambda data: data.update(finished_at="2026-01-02T03:04:04+00:00"))
    assert refused(run, r"plausibility: run.json: \d+ s inside models in a run of -1 s")


def test_rates_are_their_counts(run: Path) -> None:
    def change(row: dict[str, float]) -> None:
        if row["metric"] == "cer" and row["scheme"] == "all":
            row["numerator"] += 1

    tampering.edit_rows(run / "measurements.jsonl", change)
    assert refused(run, "plausibility: cell good, cer of all=all: .* is not")


def test_rows_of_kinds_that_came_later_are_no_problem(run: Path) -> None:
    folder = RunFolder(run)
    kept: list[Measurement] = [row for row in folder.read_measurements() if row.metric != "wer_speaker_mean"]
    folder.write_measurements(kept)
    tampering.hash_again(run)
    (report,) = validate(run)
    assert report.problems == ()
    assert report.notes == ("scored before there were wer_speaker_mean",)


def test_a_pruned_run_is_accepted_with_a_note_and_refused_by_the_gate(run: Path) -> None:
    shutil.rmtree(run / "observations")
    assert refused(run, "hashes: observations/.* listed in run.json and not there")
    (run / "pruned.json").write_text('{"observations": "2026-02-01T00:00:00+00:00"}\n', encoding="utf-8")
    (report,) = validate(run)
    assert report.problems == ()
    assert report.notes[0].startswith("its observations were taken away (2026-02-01")
    (strict,) = validate(run, strict=True)
    assert not strict.ok
    edited = tampering.BY_NAME["a score edited"]
    edited.do(run)
    assert refused(run, edited.reason)


def test_a_note_of_pruning_hides_no_observation(run: Path) -> None:
    (run / "pruned.json").write_text('{"observations": "2026-02-01T00:00:00+00:00"}\n', encoding="utf-8")
    assert problems(run) == []
    tampering.BY_NAME["an observation dropped"].do(run)
    assert refused(run, tampering.BY_NAME["an observation dropped"].reason)


def scored_by_another_version(run: Path) -> None:
    tampering.edit_json(run / "run.json", lambda data: data.update(scored_by="another"))


def test_another_version_of_the_scorer_may_say_other_intervals_but_no_other_figures(run: Path) -> None:
    def wider(row: dict[str, float]) -> None:
        if row["metric"] == "wer" and row["scheme"] == "all":
            row["ci_high"] += 0.01

    tampering.edit_rows(run / "measurements.jsonl", wider)
    tampering.hash_again(run)
    assert refused(run, "scores: cell good: wer: ci_high is")
    scored_by_another_version(run)
    (report,) = validate(run)
    assert report.ok
    assert "cell good: another version scored it, with other ci_high in 1 rows" in report.notes
    assert not validate(run, strict=True)[0].ok
    tampering.better_score_with_counts(run)
    scored_by_another_version(run)
    assert refused(run, "scores: .* wer: value is")


def test_the_command_prints_reasons_and_fails(run: Path) -> None:
    results = str(run.parents[2])
    assert CliRunner().invoke(app, ["validate", str(run)]).exit_code == 0
    tampering.uncommitted(run)
    found = CliRunner().invoke(app, ["validate", NAME[:8], "--results", results])
    assert (found.exit_code, "refused, 1 problem" in found.stdout) == (1, False)
    assert "uncommitted changes" in found.stdout
    assert not json.loads(CliRunner().invoke(app, ["validate", results, "--json"]).stdout)[0]["ok"]
    with pytest.raises(InputError, match=r"no run\.json"):
        validate(run / "observations")


@pytest.mark.slow
@pytest.mark.skipif(not STORED, reason="no stored run of smoke")
def test_a_real_stored_run_is_accepted() -> None:
    assert not problems(STORED[0].parent)


@pytest.mark.slow
@pytest.mark.skipif(not STORED, reason="no stored run of smoke")
@pytest.mark.parametrize("case", [*TAMPERINGS, TRIALS], ids=lambda case: case.name)
def test_a_real_stored_run_tampered_with_is_refused(tmp_path: Path, case: Tampering) -> None:
    original = STORED[0].parent
    copied = tmp_path / "v1" / "smoke" / original.name
    shutil.copytree(original, copied)
    case.do(copied)
    assert refused(copied, case.reason), problems(copied)
