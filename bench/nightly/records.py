"""What is remembered of each night: which run it was, what it was held against, and the verdict.

``<results>/nights/<suite>/<run>.json`` beside the run's own folder, so that a run stays what ``earmark run`` made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from earmark.bench.api import InputError
from earmark.bench.store import read_json, write_text

Verdict = Literal["unjudged", "good", "worse"]


class Finding(BaseModel):
    """One thing that got worse: whose, what, and by how much in words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    kind: Literal["quality", "slower", "compute", "memory", "failed", "gone", "flag", "uncompared"]
    text: str


class Night(BaseModel):
    """A night. ``unjudged`` is one that was run and not yet compared; ``accepted`` makes a worse one count as good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str
    run_id: str
    host: str
    devices: list[str]
    git_sha: str | None
    verdict: Verdict = "unjudged"
    accepted: bool = False
    baseline: str | None = None
    findings: list[Finding] = []
    notes: list[str] = []

    @property
    def good(self) -> bool:
        return self.verdict == "good" or (self.accepted and self.verdict == "worse")


def folder_of(results: Path, suite: str) -> Path:
    return results / "nights" / suite


def read(results: Path, suite: str) -> list[Night]:
    """Every night of a suite, oldest first."""
    return [_read(path) for path in sorted(folder_of(results, suite).glob("*.json"))]


def write(results: Path, night: Night) -> None:
    write_text(folder_of(results, night.suite) / f"{night.run_id}.json", night.model_dump_json(indent=1) + "\n")


def last_good(nights: Sequence[Night], tonight: Night) -> Night | None:
    """The newest good night before this one, on the same machine and devices."""
    place = tonight.host, tonight.devices
    before = [n for n in nights if n.good and n.run_id < tonight.run_id and (n.host, n.devices) == place]
    return max(before, key=lambda n: n.run_id, default=None)


def accept(results: Path, suite: str, run: str) -> Night:
    """Let a night count as good whatever was found in it: from now on the next ones are held against it.

    Args:
        run: the run's id or its beginning, or ``latest``.
    """
    nights = read(results, suite)
    found = nights[-1:] if run == "latest" else [n for n in nights if n.run_id.startswith(run)]
    if len(found) != 1:
        known = ", ".join(n.run_id for n in nights[-3:]) or "none yet"
        where = str(folder_of(results, suite))
        raise InputError(f"{len(found)} nights answer to {run!r}", where=where, fix=f"the last ones: {known}")
    accepted = found[0].model_copy(update={"accepted": True})
    write(results, accepted)
    return accepted


def _read(path: Path) -> Night:
    try:
        return Night.model_validate(read_json(path))
    except ValidationError as error:
        what = f"no record of a night: {error.errors()[0]['msg'].lower()}"
        raise InputError(what, where=str(path), fix="delete it; the run itself is elsewhere") from error
