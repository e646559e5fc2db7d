"""Frozen schemes: who is repaired, what a speaker is in, what may not change; and the choice between repairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earmark.bench.api import InputError
from earmark.bench.choosing import Heard, best
from earmark.bench.frozen import (
    Frozen,
    Rank,
    by_speaker,
    rank_rows,
    read_frozen,
    scheme_digest,
    schemes_folder,
    write_frozen,
)
from earmark.bench.metrics.cohorts import cohort_rates
from earmark.bench.metrics.statistics import per_speaker
from earmark.bench.suite import Target


def frozen(*ranks: Rank, scheme: object = None) -> Frozen:
    scheme = scheme or {"border": 1.5}
    return Frozen("halves", "places", scheme, scheme_digest("halves", scheme), ranks, {"r1": 3})


def rank(name: str, wer: float, status: str = "ok") -> Rank:
    return Rank(name, wer, 12, 40, 400, status)


WORST_FIRST = (rank("r1", 0.3), rank("r2", 0.2), rank("r3", 0.1), rank("tiny", 0.9, "insufficient"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["r1"]),
        ({"worst": 2}, ["r1", "r2"]),
        ({"worst": 9}, ["r1", "r2"]),
        ({"names": ["r3", "tiny"]}, ["r3", "tiny"]),
    ],
)
def test_the_worst_are_repaired_and_never_the_best(wanted: dict[str, object], found: list[str]) -> None:
    assert frozen(*WORST_FIRST).targets(Target.model_validate(wanted)) == found


def test_without_two_cohorts_that_could_be_ranked_there_is_nothing_to_repair() -> None:
    with pytest.raises(InputError, match="no two cohorts that could be ranked"):
        frozen(rank("r1", 0.3), rank("tiny", 0.9, "insufficient")).targets(Target.model_validate({}))
    with pytest.raises(InputError, match="no cohort 'r9'; there is r1, r2, r3, tiny"):
        frozen(*WORST_FIRST).targets(Target.model_validate({"names": ["r9"]}))


def test_cohorts_rank_by_error_rate_and_the_small_come_last() -> None:
    speakers = [f"{cohort}{k}" for cohort in "abc" for k in range(2 if cohort == "c" else 12)]
    errors = [{"a": 5, "b": 8, "c": 90}[name[0]] for name in speakers]
    labels = [name[0] for name in sorted(speakers)]
    sums = per_speaker(speakers, errors, [100] * len(speakers))
    ranks = rank_rows(cohort_rates(sums, labels, n_replicates=2, seed=0))
    assert [(r.cohort, r.wer, r.status) for r in ranks] == [
        ("b", 0.08, "ok"), ("a", 0.05, "ok"), ("c", 0.9, "insufficient"),
    ]  # fmt: skip


def test_a_speaker_is_in_one_cohort() -> None:
    assert by_speaker(["b", None, "a", "b"], ["x", "y", "y", "x"], "unit") == {"a": "y", "b": "x"}
    with pytest.raises(InputError, match="speaker 'b' is in two cohorts, 'x' and 'y'"):
        by_speaker(["b", "b"], ["x", "y"], "unit")


def test_what_was_frozen_comes_back_or_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path))
    assert read_frozen("k") is None
    write_frozen("k", frozen(*WORST_FIRST))
    assert read_frozen("k") == frozen(*WORST_FIRST)
    path = schemes_folder("k") / "frozen.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(told | {"scheme": {"border": 2.5}}), encoding="utf-8")
    with pytest.raises(InputError, match="not the scheme that was frozen"):
        read_frozen("k")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="can't be read"):
        read_frozen("k")


@pytest.mark.parametrize(
    ("heard", "place"),
    [
        ([(0.10, 0.30), (0.09, 0.25), (0.12, 0.10)], 1),  # the third raises everybody's rate
        ([(0.10, 0.25), (0.08, 0.25)], 0),  # the first of equals
        ([(0.14, 0.10), (0.12, 0.20), (0.13, 0.05)], 1),  # all have raised it: the least
    ],
)
def test_the_best_for_the_target_that_costs_nobody(heard: list[tuple[float, float]], place: int) -> None:
    before = Heard(None, 0.10, 0.30)
    assert best(before, tuple(Heard(k, *rates) for k, rates in enumerate(heard))) == place
