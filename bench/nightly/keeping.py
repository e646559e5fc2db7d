"""What old nights may take on the disk: measurements for ever, observations and logs for a while.

Only runs that have a record as a night are touched, and of them never the newest, the last good one, an accepted one,
or one that is committed. What was taken away is written down in ``pruned.json`` inside the run.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from earmark.bench.nightly.records import Night, folder_of
from earmark.bench.store import PRUNED, RunFolder, run_folders, write_text

MIB = 1024 * 1024
LOG = "night.log"
LOG_BYTES, LOGS_KEPT = 1_000_000, 5


@dataclass(frozen=True, slots=True)
class Policy:
    """For how many nights of a suite observations and logs are kept, and what all observations may take."""

    observations: int = 14
    logs: int = 30
    observations_mib: float = 2048.0


def prune(results: Path, nights: Sequence[Night], policy: Policy) -> Iterator[str]:
    """Take away what the policy does not keep; a line for each run."""
    by_id = {folder.run_id: folder for night in nights[:1] for folder in run_folders(results, night.suite)}
    newest_first = [night for night in reversed(nights) if night.run_id in by_id]
    good = next((night for night in newest_first if night.good), None)
    held_mib = 0.0
    for place, night in enumerate(newest_first):
        folder = by_id[night.run_id]
        size_mib = _size(folder.path / "observations") / MIB
        held_mib += size_mib
        kept = place == 0 or night == good or night.accepted or _committed(folder.path)
        over = place >= policy.observations or held_mib > policy.observations_mib
        taken = [] if kept else [name for name, old in (("observations", over), ("logs", place >= policy.logs)) if old]
        if taken and (text := _take(folder, taken)):
            held_mib -= size_mib if "observations" in taken else 0.0
            yield text


def _take(folder: RunFolder, names: Sequence[str]) -> str | None:
    present = [name for name in names if (folder.path / name).is_dir()]
    if not present:
        return None
    mib = sum(_size(folder.path / name) for name in present) / MIB
    note = folder.path / PRUNED
    earlier = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    told = earlier | dict.fromkeys(present, datetime.now(UTC).isoformat(timespec="seconds"))
    write_text(note, json.dumps(told, indent=1) + "\n")  # first the note: a kill in between must not look like damage
    for name in present:
        shutil.rmtree(folder.path / name)
    return f"pruned {' and '.join(present)} of {folder.run_id} ({mib:.1f} MiB)"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _committed(folder: Path) -> bool:
    """Whether git knows a file in it; a folder outside any repository is nobody's."""
    command = ["git", "-C", str(folder), "ls-files", "--", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and bool(done.stdout.strip())


def log_of(results: Path, suite: str) -> logging.Logger:
    """A log that rotates: at most six files of 1 MB a suite."""
    path = folder_of(results, suite) / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.Logger(f"earmark.nightly.{suite}")
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    return logger
