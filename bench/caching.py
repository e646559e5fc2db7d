"""What earmark keeps and can make again: how large it is, when it was used, and clearing it away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earmark.bench.corpora.cache import cache_dir

DAY_S = 86_400.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the cache: a corpus made on the spot, or a table of digests."""

    name: str
    mib: float
    unused_days: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def entries() -> list[Entry]:
    """Everything kept, largest first."""
    found = [_entry(path) for path in _paths()]
    return sorted(found, key=lambda entry: -entry.mib)


def as_text() -> Iterator[str]:
    """A line for each entry and one for all."""
    found = entries()
    for entry in found:
        yield f"{entry.mib:10.1f} MiB  unused for {entry.unused_days:6.1f} days  {entry.name}"
    yield f"{sum(entry.mib for entry in found):10.1f} MiB  in {cache_dir()}"


def prune(older_than_days: float) -> Iterator[str]:
    """Delete entries that have not been used for so many days; a line for each."""
    for path in _paths():
        entry = _entry(path)
        if entry.unused_days >= older_than_days:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            yield f"deleted {entry.name} ({entry.mib:.1f} MiB)"


def _paths() -> list[Path]:
    """Entries: what lies one level down, so that one corpus can go while others stay."""
    root = cache_dir()
    top = sorted(root.iterdir()) if root.is_dir() else []
    return [path for item in top for path in (sorted(item.iterdir()) if item.is_dir() else [item])]


def _entry(path: Path) -> Entry:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    stats = [p.stat() for p in files]
    used = max((max(s.st_atime, s.st_mtime) for s in stats), default=path.stat().st_mtime)
    size = sum(s.st_size for s in stats)
    return Entry(path.relative_to(cache_dir()).as_posix(), size / MIB, max(0.0, (time.time() - used) / DAY_S))
