"""Verification rows: the whole list, cohorts at thresholds of their own and at one for everybody."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs

from earmark.bench.metrics import verification
from earmark.bench.rows import Measurement
from earmark.bench.score import score_cell
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

CELL = "c" * 16
CELL_ROW = runs.cell_row(CELL, task="verification")
N_EACH = 14
Rows = dict[tuple[str, str, str], Measurement]


def observe(folder: RunFolder, shift: float = 0.6) -> list[tuple[float, bool, str, str]]:
    """Two groups of 14 speakers, everybody against everybody; group b's scores are ``shift`` higher."""
    rng = np.random.default_rng(0)
    names = [f"{group}{i:02}" for group in "ab" for i in range(N_EACH)]
    rows = []
    with Writer(folder.observations(CELL), CELL) as writer:
        for name in names:
            writer.add(
                "embeddings", utterance_id=name, speaker=name, vector=[1.0], audio_s=1.0, outcome="ok",
                metadata=json.dumps({"group": name[0]}),
            )  # fmt: skip
        for one, two in itertools.combinations_with_replacement(names, 2):
            same = one == two
            for score in rng.normal(2.0 if same else 0.0, 1.0, 30 if same else 3) + shift * (one[0] == "b"):
                rows.append((float(score), same, one, two))
                writer.add(
                    "trials", enroll_id=one, test_id=two, enroll_speaker=one, test_speaker=two, target=same,
                    score=float(score), list_name="built", pairing="same speaker" if same else "any",
                    session_relation="different", text_relation="different",
                )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, list[tuple[float, bool, str, str]]]:
    folder = RunFolder(tmp_path_factory.mktemp("run") / "run")
    trials = observe(folder)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("voices", "voice_cohorts"):
            patch.setattr(f"earmark.bench.score.{module}.N_REPLICATES", 60)
        rows = score_cell(CELL_ROW, runs.planned(CELL_ROW, cohorts=["group"]), folder, "basic-1")
    keyed = {(row.scheme, row.cohort, row.metric): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed, trials


def sides(trials: list[tuple[float, bool, str, str]], group: str = "") -> tuple[list[float], list[float]]:
    inside = [row for row in trials if row[2].startswith(group) and row[3].startswith(group)]
    return [s for s, same, *_ in inside if same], [s for s, same, *_ in inside if not same]


def test_the_whole_list_has_every_measure_with_n_and_interval(scored: tuple[Rows, Any]) -> None:
    rows, trials = scored
    both = sides(trials)
    expected = {
        "eer": verification.equal_error_rate(*both),
        "eer_hull": verification.equal_error_rate_hull(*both),
        "min_dcf_p05": verification.min_dcf(*both, 0.05),
        "min_cllr": verification.min_cllr(*both),
    }
    for name, value in expected.items():
        row = rows["all", "all", name]
        assert row.value == pytest.approx(value)
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.ci_low < value < row.ci_high
        assert (row.n, row.n_unit, row.n_speakers) == (len(trials), "trials", 2 * N_EACH)
        assert {"targets:840", "trials:any,_different_session,_different_text"} <= set(row.flags)


def test_thresholds_are_set_once(scored: tuple[Rows, Any]) -> None:
    rows, trials = scored
    both = sides(trials)
    thresholds = {
        "eer": verification.eer_threshold(*both),
        "fmr_1pct": verification.fmr_threshold(*both, 0.01),
        "fmr_01pct": verification.fmr_threshold(*both, 0.001),
    }
    for point, threshold in thresholds.items():
        for scheme, cohort, group in (("all", "all", ""), ("group", "a", "a"), ("group", "b", "b")):
            rates = verification.error_rates_at(threshold, *sides(trials, group))
            for name, rate in zip(("fnmr", "fmr"), rates, strict=True):
                row = rows[scheme, cohort, f"{name}_at_{point}"]
                assert row.value == pytest.approx(rate)
                assert row.numerator == pytest.approx(rate * (row.denominator or 0))
                assert f"threshold:{threshold:.6g}" in row.flags
    assert rows["all", "all", "fmr_at_fmr_1pct"].value <= 0.01  # type: ignore[operator]


def test_a_threshold_on_few_false_matches_supports_nothing(scored: tuple[Rows, Any]) -> None:
    rows, _ = scored
    for key in (("all", "all", "fnmr_at_fmr_01pct"), ("group", "*", "fdr_at_fmr_01pct")):
        assert rows[key].status == "insufficient"
        assert "the threshold rests on 1 false matches" in (rows[key].reason or "")
    assert rows["all", "all", "fnmr_at_eer"].status == "ok"


def test_false_matches_across_cohorts_have_rows_of_their_own(scored: tuple[Rows, Any]) -> None:
    rows, trials = scored
    threshold = verification.eer_threshold(*sides(trials))
    across = [score for score, _, one, two in trials if one[0] != two[0]]
    row = rows["group", "a | b", "fmr_between_at_eer"]
    assert (row.n, row.n_unit, row.n_speakers, row.status) == (len(across), "trials", N_EACH, "ok")
    assert row.numerator == sum(score >= threshold for score in across)
    assert row.value == pytest.approx((row.numerator or 0) / len(across))
    assert row.ci_low < row.value < row.ci_high  # type: ignore[operator]
    assert not any(metric.startswith("fmr_between") for scheme, _, metric in rows if scheme == "all")


def test_differentials_have_their_nulls(scored: tuple[Rows, Any]) -> None:
    rows, trials = scored
    threshold = verification.eer_threshold(*sides(trials))
    (miss_a, match_a), (miss_b, match_b) = (verification.error_rates_at(threshold, *sides(trials, g)) for g in "ab")
    fdr = rows["group", "*", "fdr_at_eer"]
    assert fdr.value == pytest.approx(1 - (abs(miss_a - miss_b) + abs(match_a - match_b)) / 2)
    assert (fdr.better, fdr.n, fdr.n_unit, fdr.n_speakers, fdr.status) == ("higher", 2, "cohorts", 2 * N_EACH, "ok")
    assert fdr.value < fdr.null_q95  # type: ignore[operator]
    garbe = rows["group", "*", "garbe_at_eer"]
    assert garbe.value > garbe.null_q95  # type: ignore[operator]
    assert rows["group", "*", "fmr_ratio_at_eer"].value == pytest.approx(max(match_a, match_b) / min(match_a, match_b))


def test_the_spread_is_over_k(scored: tuple[Rows, Any]) -> None:
    rows, trials = scored
    rates = [verification.equal_error_rate(*sides(trials, group)) for group in "ab"]
    assert rows["group", "*", "eer_cohort_std"].value == pytest.approx(abs(rates[0] - rates[1]) / 2)
    assert [rows["group", group, "eer"].value for group in "ab"] == pytest.approx(rates)


def test_the_same_rows_every_time(tmp_path: Path) -> None:
    lines = []
    for name in ("one", "two"):
        folder = RunFolder(tmp_path / name)
        observe(folder)
        rows = score_cell(CELL_ROW, runs.planned(CELL_ROW), folder, "basic-1")
        lines.append([row.line() for row in rows])
    assert lines[0] == lines[1]
