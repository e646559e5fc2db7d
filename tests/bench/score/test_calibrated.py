"""Scores normalized and calibrated by speakers who are not measured."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import runs

from earmark.bench.metrics import verification
from earmark.bench.metrics.calibration import fit_calibration
from earmark.bench.rows import Measurement
from earmark.bench.score import score_cell
from earmark.bench.score.calibrated import MIN_IMPOSTORS, calibration, normalized
from earmark.bench.score.trials import Trials
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

CELL = "c" * 16
CELL_ROW = runs.cell_row(CELL, task="verification")
DIM = 8


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def observe(folder: Path, *, n_impostors: int = 12, n_calibration: int = 10) -> None:
    """Vectors around one center a speaker; 12 measured speakers, impostors of two recordings each, dev trials."""
    rng = np.random.default_rng(0)

    def recordings(name: str, n: int) -> list[tuple[str, str, np.ndarray]]:
        center = rng.normal(size=DIM)
        return [(f"{name}-{k}", name, unit(center + 0.6 * rng.normal(size=DIM))) for k in range(n)]

    measured = [r for s in range(12) for r in recordings(f"m{s:02}", 3)]
    dev = [r for s in range(n_calibration) for r in recordings(f"d{s:02}", 2)]
    with Writer(folder, CELL) as writer:
        for table, some in (("trials", measured), ("calibration_trials", dev)):
            for (a, one, x), (b, two, y) in itertools.combinations(some, 2):
                writer.add(
                    table, enroll_id=a, test_id=b, enroll_speaker=one, test_speaker=two, target=one == two,
                    score=float(x @ y), list_name="built", pairing="any", session_relation="unknown",
                    text_relation="different",
                )  # fmt: skip
        for name, speaker, vector in measured:
            told = json.dumps({"group": "even" if speaker[-1] in "02468" else "odd"})
            writer.add(
                "embeddings", utterance_id=name, speaker=speaker, vector=vector.tolist(), audio_s=1.0, metadata=told
            )
        for s in range(n_impostors):
            told = json.dumps({"gender": ["female", "male"][s % 3 == 0], "group": "even"})
            for name, speaker, vector in recordings(f"i{s:02}", 2):
                writer.add("impostors", utterance_id=name, speaker=speaker, vector=vector.tolist(), metadata=told)


def rows(tmp_path: Path, **world: int) -> dict[tuple[str, str, str], Measurement]:
    folder = RunFolder(tmp_path / "run")
    observe(folder.observations(CELL), **world)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("voices", "voice_cohorts"):
            patch.setattr(f"earmark.bench.score.{module}.N_REPLICATES", 30)
        found = score_cell(CELL_ROW, runs.planned(CELL_ROW, cohorts=["group"]), folder, "basic-1")
    return {(row.scheme, row.cohort, row.metric): row for row in found}


def test_normalized_scores_are_those_of_the_definition(tmp_path: Path) -> None:
    observe(tmp_path)
    trials = Trials.read(tmp_path)
    found = normalized(trials, tmp_path)
    assert not isinstance(found, str)
    from earmark.bench.tables import read_table

    vectors = {row["utterance_id"]: np.array(row["vector"]) for row in read_table(tmp_path, "embeddings").to_pylist()}
    impostors: dict[str, list[np.ndarray]] = {}
    for row in read_table(tmp_path, "impostors").to_pylist():
        impostors.setdefault(row["speaker"], []).append(np.array(row["vector"]))
    centers = [unit(np.mean(some, axis=0)) for some in impostors.values()]
    for at in (0, 17, 100):
        told = [[vectors[name] @ center for center in centers] for name in (trials.enroll_id[at], trials.test_id[at])]
        expected = sum((trials.scores[at] - np.mean(s)) / np.std(s) for s in told) / 2
        assert found.scores[at] == pytest.approx(expected, abs=1e-4)  # vectors are kept in single precision
    assert found.flags == ["impostors:12", "impostors_top:12", "impostors_gender:female=8", "impostors_gender:male=4"]


def test_one_map_is_fitted_on_the_others(tmp_path: Path) -> None:
    observe(tmp_path)
    from earmark.bench.tables import read_table

    table = read_table(tmp_path, "calibration_trials").to_pylist()
    sides = [[row["score"] for row in table if row["target"] is same] for same in (True, False)]
    assert calibration(tmp_path) == (fit_calibration(*sides), 10)


def test_rows_of_both(tmp_path: Path) -> None:
    found = rows(tmp_path)
    folder = tmp_path / "run" / "observations" / CELL
    trials = Trials.read(folder)
    fitted = calibration(folder)
    assert fitted is not None
    llrs = [fitted[0](side) for side in trials.sides]
    assert found["all", "all", "cllr"].value == pytest.approx(verification.cllr(*llrs))
    assert found["all", "all", "act_dcf_p05"].value == pytest.approx(verification.act_dcf(*llrs, 0.05, calibrated=True))
    assert "calibrated_on_targets:10" in found["all", "all", "cllr"].flags
    assert "calibrated_on_targets:10" not in found["all", "all", "eer"].flags
    normed = normalized(trials, folder)
    assert not isinstance(normed, str)
    expected = verification.equal_error_rate(normed.scores[trials.is_target], normed.scores[~trials.is_target])
    row = found["all", "all", "eer_as_norm"]
    assert row.value == pytest.approx(expected)
    assert {"impostors:12", "impostors_gender:male=4"} <= set(row.flags)


def test_rows_of_cohorts(tmp_path: Path) -> None:
    found = rows(tmp_path)
    for cohort, own in (("even", 12), ("odd", 0)):
        assert f"impostors_own:{own}" in found["group", cohort, "eer_as_norm"].flags
        parts = [found["group", cohort, name].value for name in ("cllr", "min_cllr", "calibration_loss")]
        assert parts[0] == pytest.approx(parts[1] + parts[2])  # type: ignore[operator]
        assert (found["group", cohort, "cllr"].n_speakers, found["group", cohort, "cllr"].status) == (6, "insufficient")


def test_without_others_there_is_a_row_that_says_so(tmp_path: Path) -> None:
    found = rows(tmp_path, n_impostors=MIN_IMPOSTORS - 1, n_calibration=0)
    assert (found["all", "all", "eer_as_norm"].status, found["all", "all", "cllr"].status) == ("unsupported",) * 2
    assert "train speakers" in (found["all", "all", "eer_as_norm"].reason or "")
    assert "dev speakers" in (found["all", "all", "cllr"].reason or "")
    assert ("group", "even", "cllr") not in found
    assert found["all", "all", "min_cllr"].value is not None
