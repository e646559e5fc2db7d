"""What a run lends another: every table of quality whole, nothing timed."""

from __future__ import annotations

from pathlib import Path

import pytest
import runs

from earmark.bench.reuse import MEASURED_AGAIN, QUALITY, Earlier, merge
from earmark.bench.store import RunFolder
from earmark.bench.tables import SCHEMAS, Writer, read_table


def written(folder: Path, names: list[str]) -> None:
    """Every table, with a row for each recording where it has recordings."""
    with Writer(folder, "c") as writer:
        for table, schema in SCHEMAS.items():
            for name in names:
                key = next((k for k in ("utterance_id", "enroll_id", "speaker") if k in schema.names), None)
                text = {"hypothesis_raw": "same"} if "hypothesis_raw" in schema.names else {}
                clock = {"service_s": 1.0} if "service_s" in schema.names else {}
                writer.add(table, **({key: name} if key else {}), **text, **clock)


def test_a_table_is_lent_or_measured_again() -> None:
    assert {*QUALITY, *MEASURED_AGAIN} == SCHEMAS.keys()
    assert not {*QUALITY} & {*MEASURED_AGAIN}
    assert {"reference_turns", "prefixes", "impostors", "calibration_trials"} <= {*QUALITY}


@pytest.mark.parametrize("table", QUALITY)
def test_quality_is_that_of_all_recordings_though_only_some_were_streamed_again(tmp_path: Path, table: str) -> None:
    earlier = Earlier(RunFolder(tmp_path / "earlier"), runs.cell_row("c"))
    written(earlier.observations, ["u", "v", "w"])
    written(tmp_path / "fresh", ["u"])
    assert merge(earlier, tmp_path / "fresh") == []
    assert read_table(tmp_path / "fresh", table).num_rows == 3
    chunks = read_table(tmp_path / "fresh", "chunks").to_pylist()
    assert [row["utterance_id"] for row in chunks if row["service_s"] is not None] == ["u"]
