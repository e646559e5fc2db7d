"""What is remembered of nights: which one is the last good one, and what accepting does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from earmark.bench.api import InputError
from earmark.bench.nightly import records
from earmark.bench.nightly.records import Finding, Night


def night(number: int, **changes: Any) -> Night:
    base: dict[str, Any] = {
        "suite": "unit", "run_id": f"2026010{number}T000000Z-abc123-1234567", "host": "abc", "devices": ["cpu"],
        "git_sha": None, "verdict": "good",
    }  # fmt: skip
    return Night(**(base | changes))


BAD = {"verdict": "worse", "findings": [Finding(label="m", kind="slower", text="2 x")]}


def test_a_worse_night_is_skipped() -> None:
    nights = [night(1), night(2, **BAD), night(3, verdict="unjudged")]
    assert records.last_good(nights, night(4)) == nights[0]
    assert records.last_good([], night(4)) is None


def test_other_machines_and_devices_are_other_nights() -> None:
    nights = [night(1, host="other"), night(2, devices=["cuda"])]
    assert records.last_good(nights, night(4)) is None


def test_later_nights_do_not_count() -> None:
    assert records.last_good([night(5)], night(4)) is None


def test_an_accepted_night_counts_as_good(tmp_path: Path) -> None:
    for made in (night(1), night(2, **BAD)):
        records.write(tmp_path, made)
    records.accept(tmp_path, "unit", "20260102")
    kept = records.read(tmp_path, "unit")
    assert [n.good for n in kept] == [True, True]
    assert kept[1].findings == night(2, **BAD).findings
    assert records.last_good(kept, night(3)) == kept[1]


def test_a_night_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    records.write(tmp_path, night(1))
    with pytest.raises(InputError, match=r"0 nights answer to '2030'.*the last ones: 20260101"):
        records.accept(tmp_path, "unit", "2030")


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    path = records.folder_of(tmp_path, "unit") / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="no record of a night"):
        records.read(tmp_path, "unit")
