"""Where earmark keeps what it can make again, and how it writes there."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder: ``$EARMARK_CACHE``, or ``earmark`` below the platform's cache folder of this user."""
    named = os.environ.get("EARMARK_CACHE")
    return Path(named).expanduser() if named else _user_cache() / "earmark"


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: a reader never sees half of it, and two writers do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
