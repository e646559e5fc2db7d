from __future__ import annotations

from typing import Any

import runs

from earmark.bench.api import Corpus
from earmark.bench.corpora.schema import to_dataset
from earmark.bench.observe import selection
from earmark.bench.planning import Planned


def corpus(splits: dict[str, int], n_each: int = 3) -> Corpus:
    rows = [
        {"id": f"{split}-{s:03}-{k}", "speaker": f"{split}-{s:03}", "split": split, "text": f"text {k}"}
        for split, n in splits.items()
        for s in range(n)
        for k in range(n_each)
    ]
    return Corpus("c", to_dataset(rows), "f" * 64, "MIT")


def planned(**changes: Any) -> Planned:
    return runs.planned(runs.cell_row("c" * 16, task="verification"), **changes)


def test_references_are_speakers_who_are_not_measured() -> None:
    some = corpus({"train": 300, "dev": 150, "measure": 5})
    found = selection.select_references(some, planned(), selection.select_rows(some, planned()))
    assert len(found.impostors) == len({row["speaker"] for row in found.impostors}) == selection.N_IMPOSTORS
    calibration = [row["speaker"] for row in found.calibration]
    assert len(calibration) == selection.N_CALIBRATION
    assert {calibration.count(name) for name in calibration} == {2}
    assert {row["split"] for row in found.impostors} == {"train"}


def test_nobody_is_measured_and_compared_with() -> None:
    some = corpus({"train": 20, "dev": 4})
    cell = planned(split="train")
    found = selection.select_references(some, cell, selection.select_rows(some, cell))
    assert not found.impostors
    assert len(found.calibration) == 12


def test_a_limit_holds_for_them_too() -> None:
    some = corpus({"train": 30, "dev": 30, "measure": 30})
    cell = planned(limit=10)
    found = selection.select_references(some, cell, selection.select_rows(some, cell))
    assert (len(found.impostors), len(found.calibration)) == (10, 10)
