"""Tells asv of a night, where there is a checkout to tell it of and asv is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Feed = Literal["none", "stored", "all"]
"""Nothing; what the tables hold of this commit; and time and memory of every model besides."""
TIMEOUT_S = 3600.0
ROOT = Path(__file__).resolve().parents[2]


def feed(results: Path, sha: str | None, host: str, what: Feed, say: Callable[[str], None]) -> list[str]:
    """Run the asv suite for a commit, in a process of its own; returns remarks for the report."""
    if what == "none":
        return []
    if not (ROOT / "asv.conf.json").is_file():
        return ["asv was not fed: this is no checkout"]
    if sha is None:
        return ["asv was not fed: the commit is not known"]
    if find_spec("asv") is None:
        return ["asv was not fed: it is not installed (pip install asv)"]
    say("feeding asv")
    command = [
        sys.executable,
        "-m",
        "earmark.bench.speed.feed",
        sha,
        "--results",
        str(results.absolute()),
        "--machine",
        host,
    ]
    command += ["--only", "track_"] if what == "stored" else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=ROOT)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        return [f"asv: exit status {done.returncode}: {said[-1]}"]
    return []
