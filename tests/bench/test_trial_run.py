"""Verification through the whole harness, over tones: references who are not measured, and a list that goes round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tones
import workers

from earmark.bench import observing, run
from earmark.bench.export import export
from earmark.bench.preflight import Request
from earmark.bench.rows import Measurement
from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

pytestmark = pytest.mark.slow

SUITE = """
schema = 1
name = "trials"
[defaults]
passes = 1
[[train]]
id = "voices"
task = "verification"
plugins = ["hums"]
[[measure]]
of = ["voices"]
corpus = ["tones"]
cohorts = ["accent"]
pair_within = ["accent"]
metrics = ["eer", "gaps"]
"""


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    workers.work_here(monkeypatch, [observing], lambda job: str(job["cell"]["plugin"]), with_flags=True)
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """24 speakers measured; then 12 of train and 6 of dev, who are not."""
    folder = tones.write_tones(tmp_path / "tones", 41)
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for line in lines:
        number = int(line["speaker"][1:])
        line["split"] = "measure" if number < 24 else "train" if number < 36 else "dev"
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


def go(tmp_path: Path, corpus: Path, results: str) -> RunFolder:
    path = tmp_path / "trials.toml"
    path.write_text(SUITE, encoding="utf-8")
    asked = Request(
        suite=str(path),
        corpus=str(corpus),
        plugin_files=(Path(tones.__file__),),
        results=tmp_path / results,
        quiet=True,
    )
    return run.run_suite(asked, lambda _line: None).folder


def rows_of(folder: RunFolder) -> dict[tuple[str, str, str], Measurement]:
    return {(row.scheme, row.cohort, row.metric): row for row in folder.read_measurements()}


def test_who_is_not_measured_normalizes_and_calibrates(tmp_path: Path, corpus: Path) -> None:
    folder = go(tmp_path, corpus, "results")
    (cell,) = folder.read_cells()
    tables = {
        name: read_table(folder.observations(cell.cell), name) for name in ("trials", "impostors", "calibration_trials")
    }
    speakers = {name: set(table[key].to_pylist()) for name, table, key in (
        ("measured", tables["trials"], "enroll_speaker"), ("train", tables["impostors"], "speaker"),
        ("dev", tables["calibration_trials"], "enroll_speaker"),
    )}  # fmt: skip
    assert {name: len(some) for name, some in speakers.items()} == {"measured": 24, "train": 12, "dev": 6}
    assert not speakers["measured"] & (speakers["train"] | speakers["dev"])
    rows = rows_of(folder)
    assert {"impostors:12", "impostors_top:12"} <= set(rows["all", "all", "eer_as_norm"].flags)
    assert "impostors_own:6" in rows["accent", "a", "eer_as_norm"].flags
    assert "calibrated_on_targets:6" in rows["all", "all", "cllr"].flags
    assert rows["all", "all", "cllr"].value >= rows["all", "all", "min_cllr"].value  # type: ignore[operator]
    assert "trials:within_accent,_unknown_session,_different_text" in rows["all", "all", "eer"].flags


def test_a_list_that_was_exported_is_the_same_list_again(tmp_path: Path, corpus: Path) -> None:
    before = go(tmp_path, corpus, "results")
    files = {
        path.name.partition(".")[2]: path for path in export(tmp_path / "results", None, tmp_path / "out", "trials")
    }
    kept = files["trials.txt"].read_text().splitlines()
    (corpus / "trials.txt").write_text("\n".join(kept) + "\n")
    whole = go(tmp_path, corpus, "again")
    assert whole.read_cells()[0].corpus_fingerprint != before.read_cells()[0].corpus_fingerprint
    for key in (("all", "all", "eer"), ("accent", "b", "fmr_at_eer"), ("all", "all", "min_cllr")):
        one, other = rows_of(before)[key], rows_of(whole)[key]
        assert (one.value, one.n, one.numerator) == (other.value, other.n, other.numerator)
    (corpus / "trials.txt").write_text("\n".join([kept[0], kept[-1], "0 s24-0 s00-0"]) + "\n")
    short = rows_of(go(tmp_path, corpus, "short"))["all", "all", "eer"]
    assert short.n == 2
    assert "trials_left_out:1" in short.flags
