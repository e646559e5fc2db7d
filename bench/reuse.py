"""What an earlier run has that a new one may take over: quality observations, never timings.

A cell's identity covers model, corpus, circumstances and the code that observes, so the same cell gives the same
transcripts and embeddings. ``run --new`` streams only the timed recordings again and takes the rest from there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earmark.bench.rows import Cell
from earmark.bench.store import RunFolder, run_folders
from earmark.bench.tables import SCHEMAS, read_table

MEASURED_AGAIN = ("tokens", "chunks", "voice_chunks", "concurrent", "facts", "assignments")
"""Tables that hold timings, or that a run writes for itself; every other one is lent whole."""
QUALITY = tuple(name for name in SCHEMAS if name not in MEASURED_AGAIN)
CLOCKED = {"tokens": ("emitted_s",), "chunks": ("start_s", "service_s", "device_s")}
"""Tables of which the untimed recordings are taken over, without these columns, which a clock gave."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finished cell of an earlier run."""

    run: RunFolder
    cell: Cell

    @property
    def observations(self) -> Path:
        return self.run.observations(self.cell.cell)


def find_earlier(results: Path, cell: str, *, before: str) -> Earlier | None:
    """The newest run before ``before`` in which this cell went well and was not itself reused."""
    for folder in reversed(run_folders(results)):
        if folder.run_id >= before or not folder.observations(cell).is_dir():
            continue
        for row in folder.read_cells():
            if row.cell == cell and row.status == "ok":
                return Earlier(folder, row)
    return None


def origin_flags(earlier: Earlier) -> list[str]:
    """The earlier cell's flags, with the run named in which the quality was first observed."""
    kept = [flag for flag in earlier.cell.flags if not flag.startswith("work_")]
    reused = [flag for flag in kept if flag.startswith("reused:")]
    return kept if reused else [*kept, f"reused:{earlier.run.run_id}"]


def merge(earlier: Earlier, fresh: Path) -> list[str]:
    """Complete a folder of fresh timings with the earlier quality; flags where the two transcripts differ.

    Nothing timed is taken over: of tokens and chunks only what was said after how much audio, without the moment.
    """
    flags = _differences(earlier.observations, fresh)
    timed = read_table(fresh, "chunks")["utterance_id"].unique()
    for name in QUALITY:
        (fresh / f"{name}.parquet").unlink(missing_ok=True)
        if (earlier.observations / f"{name}.parquet").is_file():
            shutil.copyfile(earlier.observations / f"{name}.parquet", fresh / f"{name}.parquet")
    for name in CLOCKED:
        whole = pa.concat_tables([_untimed(earlier.observations, name, timed), read_table(fresh, name)])
        if whole.num_rows:
            pq.write_table(whole, fresh / f"{name}.parquet", compression="zstd")
    return flags


def _untimed(folder: Path, name: str, timed: pa.ChunkedArray) -> pa.Table:
    """The rows of recordings that were not timed afresh, as far as no clock gave them."""
    old = read_table(folder, name)
    kept = old.filter(pc.invert(pc.is_in(old["utterance_id"], value_set=timed)))
    blank = {column: pa.nulls(kept.num_rows, pa.float64()) for column in CLOCKED[name]}
    if "timed" in kept.column_names:
        blank["timed"] = pa.array([False] * kept.num_rows, pa.bool_())
    for column, values in blank.items():
        place = kept.schema.get_field_index(column)
        kept = kept.set_column(place, kept.schema.field(place), values)
    return kept


def _differences(earlier: Path, fresh: Path) -> list[str]:
    old = _hypotheses(earlier)
    differ = any(old.get(name) != text for name, text in _hypotheses(fresh).items())
    return ["reused_differs"] if differ else []


def _hypotheses(folder: Path) -> dict[str, str]:
    table = read_table(folder, "utterances")
    return dict(zip(table["utterance_id"].to_pylist(), table["hypothesis_raw"].to_pylist(), strict=True))
