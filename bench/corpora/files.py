"""What is known of an audio file without decoding it, remembered from one run to the next.

A file's digest and header are kept with its size and modification time, so a corpus that did not change costs one
``stat`` a file. The fingerprint of a corpus is built on these digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from earmark.bench.corpora.schema import canonical
from earmark.bench.disk import sha256_of, write_atomic

Report = Callable[[int, int, str], None]
_UNKNOWN_LENGTH = 2**62
_EVERY = 100
_FLOATING = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """A file's digest and header."""

    sha256: str
    n_frames: int
    sample_rate_hz: int
    n_channels: int

    @property
    def duration_s(self) -> float:
        return self.n_frames / self.sample_rate_hz


def inspect(path: Path) -> AudioFacts:
    """Digest and header of one file; raises ValueError in plain words where it is no audio."""
    import soundfile

    try:
        header = soundfile.info(path)
        n_frames = header.frames if header.frames < _UNKNOWN_LENGTH else len(soundfile.read(path)[0])
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise ValueError(f"{path.name} is no audio that soundfile can read ({_cause(error)})") from error
    if header.subtype in _FLOATING:
        _check_finite(path)
    digest = sha256_of(path)
    return AudioFacts(digest, int(n_frames), int(header.samplerate), int(header.channels))


def _check_finite(path: Path) -> None:
    """Only floating-point files can hold what is no number, so only they are read whole; piece by piece."""
    import numpy as np
    import soundfile

    for block in soundfile.blocks(path, blocksize=1 << 20, dtype="float32"):
        if not np.isfinite(block).all():
            raise ValueError(f"{path.name} holds NaN or infinite samples")


def inspect_all(paths: Sequence[Path], *, folder: Path, cache: Path, progress: Report) -> dict[Path, AudioFacts | str]:
    """Facts of every file, or in words why there are none; files that did not change come from ``cache``."""
    memory = _Memory(cache, folder)
    found: dict[Path, AudioFacts | str] = {}
    for index, path in enumerate(paths):
        if index % _EVERY == 0:
            progress(index, len(paths), "checking audio files")
        try:
            found[path] = memory.facts(path)
        except (ValueError, OSError) as error:
            found[path] = str(error)
    progress(len(paths), len(paths), "checking audio files")
    memory.save()
    return found


def fingerprint(rows: Iterable[Mapping[str, Any]], digests: Mapping[str, str]) -> str:
    """SHA-256 of a corpus's content: its rows in the order of their ids, each with the digest of its audio by id.

    Where the files lie does not count, nor does the order of the rows.
    """
    total = hashlib.sha256()
    for row in sorted(rows, key=lambda r: str(r["id"])):
        total.update(canonical({**row, "audio": digests[row["id"]]}).encode())
        total.update(b"\n")
    return total.hexdigest()


class _Memory:
    """Facts of the files of one folder tree, in one JSON file of the cache, by path, size and modification time."""

    def __init__(self, cache: Path, folder: Path) -> None:
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self.path = cache / "files" / f"{name}.json"
        self.known = self._read()
        self.changed = False

    def _read(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none yet, or spoilt: it only saves time
            return {}
        return known if isinstance(known, dict) else {}

    def facts(self, path: Path) -> AudioFacts:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        entry = self.known.get(str(path))
        if entry is None or entry[:2] != stamp:
            entry = [*stamp, *astuple(inspect(path))]
            self.known[str(path)] = entry
            self.changed = True
        return AudioFacts(*entry[2:])

    def save(self) -> None:
        if self.changed:
            write_atomic(self.path, json.dumps(self.known).encode())


def _cause(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip().rstrip(".") or type(error).__name__
