"""Where earmark keeps what it can make again."""

from __future__ import annotations

import os
import sys
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
