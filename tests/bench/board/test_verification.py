from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import runs

from earmark.bench.board import verification as pictures
from earmark.bench.board import voices
from earmark.bench.board.charts import drawn_svg
from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.verification import eer_threshold
from earmark.bench.tables import to_table

COHORTS = {f"{c}{i}": name for c, name in (("n", "north"), ("s", "<b>south&")) for i in range(8)}


def table(separation: float = 2.0) -> Any:
    """The trials table of 16 speakers in two cohorts, everybody against everybody."""
    rng = np.random.default_rng(0)
    names = sorted(COHORTS)
    rows = [
        {"enroll_speaker": one, "test_speaker": two, "target": one == two, "score": float(score)}
        for one in names
        for two in names
        for score in rng.normal(separation * (one == two), 1.0, 6 if one == two else 1)
    ]
    return to_table("trials", rows)


@pytest.fixture(scope="module")
def trials() -> CohortTrials:
    return pictures.trials_of(table(), COHORTS)


def values(chart: Any) -> list[list[dict[str, Any]]]:
    """The rows of the whole chart, if it has any, and of each layer."""
    spec = chart.to_dict()
    parts = [spec, *spec.get("layer", [])]
    found = [part["data"] for part in parts if "data" in part]
    return [data.get("values") or spec["datasets"][data["name"]] for data in found]


def texts(chart: Any) -> set[str]:
    svg = drawn_svg(chart)
    assert "<b>" not in svg
    return {node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")}


def test_speakers_without_a_cohort_are_left_out() -> None:
    found = pictures.trials_of(table(), dict.fromkeys(list(COHORTS)[:4], "all"))
    assert len(found.scores) == 4 * 6 + 4 * 3


def test_error_tradeoffs_stand_on_the_scales_of_the_normal_distribution(trials: CohortTrials) -> None:
    threshold = eer_threshold(*trials.sides())
    chart = pictures.det_curves(trials, threshold)
    _, lines, dots = values(chart)
    assert {row["list"] for row in lines} == {"all", "north", "<b>south&"}
    for name in ("all", "north"):
        curve = [(row["x"], row["y"]) for row in lines if row["list"] == name]
        assert all(b[0] <= a[0] and b[1] >= a[1] for a, b in pairwise(curve))
    for row in dots:
        assert row["x"] == row["y"] or row["what"] != "EER"
    assert sum(row["what"] == "EER" for row in dots) == 3
    assert {"false match rate (%)", "false non-match rate (%)", "10", "20", "all", "north", "<b>south&"} <= texts(chart)


def test_scores_told_apart_have_no_curve() -> None:
    assert pictures.det_curves(pictures.trials_of(table(100.0), COHORTS)) is None


def test_scores_are_densities_over_one_axis(trials: CohortTrials) -> None:
    chart = pictures.score_histograms(trials, 1.0)
    (rows,) = values(chart)
    edges = np.histogram_bin_edges(trials.scores, pictures.N_BINS)
    for name in ("all", "north"):
        for kind in ("same speaker", "different speakers"):
            heights = [row["density"] for row in rows if (row["list"], row["kind"]) == (name, kind)]
            assert sum(heights) * (edges[1] - edges[0]) == pytest.approx(1)
    assert {"same speaker", "different speakers", "north", "<b>south&"} <= texts(chart)


def test_equal_scores_have_no_histogram() -> None:
    assert pictures.score_histograms(CohortTrials.read([1, 1], [True, False], "aa", "ab", {"a": "x", "b": "x"})) is None


def test_false_matches_by_pair_of_cohorts(trials: CohortTrials) -> None:
    chart = pictures.false_matches(trials, 1.0)
    rows = {(row["one"], row["two"]): row for row in values(chart)[0]}
    assert len(rows) == 4
    across = rows["north", "<b>south&"]
    assert across["n"] == 128  # 8 x 8 pairs, both ways around
    assert across == rows["<b>south&", "north"] | {"one": "north", "two": "<b>south&"}
    assert "false match rate (%)" in texts(chart)
    alone = pictures.trials_of(table(), dict.fromkeys(COHORTS, "all"))
    assert pictures.false_matches(alone, 1.0) is None


def test_weights_against_losses_are_paths_over_training() -> None:
    log = [
        {"step": step, "loss": 1.0, "watched": {"gender": {
            "female": {"n": 9, "loss": 2.0 - step / 100, "weight": 1.0 + step / 100},
            "male": {"n": 7, "loss": 1.0 - step / 100, "weight": 1.0 - step / 100},
        }}}
        for step in (10, 20, 30)
    ]  # fmt: skip
    chart = pictures.weights_and_losses([{"step": 5, "loss": 1.0}, *log], "gender")
    *_, ends = values(chart)
    assert {(row["group"], row["weight"]) for row in ends} == {("female", 1.3), ("male", 0.7)}
    assert {"mean loss", "mean weight", "female", "male"} <= texts(chart)
    assert pictures.weights_and_losses(log, "accent") is None
    assert pictures.weights_and_losses(log[:1], "gender") is None


def test_of_trainings_those_are_drawn_that_weigh_groups_differently() -> None:
    """The first weighs accents and watched nobody's gender do anything; the others weighed nobody, or kept no log."""
    alike = [{**row, "watched": {"accent": {"north": {"n": 1.0, "loss": 1.0, "weight": 2.0}}}} for row in runs.WATCHED]
    drawn = voices.weights({"one": {"log": runs.WATCHED}, "two": {"log": alike}, "three": {}, "four": {"log": None}})
    assert {key: [*columns] for key, columns in drawn.items()} == {"one": ["accent"]}
    assert json.dumps(drawn["one"]["accent"]) == json.dumps(
        pictures.weights_and_losses(runs.WATCHED, "accent").to_dict()
    )
