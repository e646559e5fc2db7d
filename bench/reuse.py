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
"""Tables of timings, and those that a run writes for itself; of tokens, what was said is lent without the moment."""
QUALITY = tuple(name for name in SCHEMAS if name not in MEASURED_AGAIN)


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

    Nothing timed is taken over: no chunk, and of tokens only what was said, without the moment.
    """
    flags = _differences(earlier.observations, fresh)
    timed = read_table(fresh, "chunks")["utterance_id"].unique()
    for name in QUALITY:
        (fresh / f"{name}.parquet").unlink(missing_ok=True)
        if (earlier.observations / f"{name}.parquet").is_file():
            shutil.copyfile(earlier.observations / f"{name}.parquet", fresh / f"{name}.parquet")
    old = read_table(earlier.observations, "tokens")
    kept = old.filter(pc.invert(pc.is_in(old["utterance_id"], value_set=timed)))
    place = kept.schema.get_field_index("emitted_s")
    untimed = kept.set_column(place, kept.schema.field(place), pa.nulls(kept.num_rows, pa.float64()))
    whole = pa.concat_tables([untimed, read_table(fresh, "tokens")])
    if whole.num_rows:
        pq.write_table(whole, fresh / "tokens.parquet", compression="zstd")
    return flags


def _differences(earlier: Path, fresh: Path) -> list[str]:
    old = _hypotheses(earlier)
    differ = any(old.get(name) != text for name, text in _hypotheses(fresh).items())
    return ["reused_differs"] if differ else []


def _hypotheses(folder: Path) -> dict[str, str]:
    table = read_table(folder, "utterances")
    return dict(zip(table["utterance_id"].to_pylist(), table["hypothesis_raw"].to_pylist(), strict=True))
