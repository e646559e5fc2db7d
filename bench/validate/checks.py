"""Every check of a run, in order, and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from earmark.bench import query
from earmark.bench.api import InputError
from earmark.bench.store import RunFolder, run_folders
from earmark.bench.validate import identity, observed, scores, speakers, stored
from earmark.bench.validate.stored import Problem, Stored

Check = Callable[[Stored], Iterator[Problem]]
CHECKS: Mapping[str, tuple[Check, ...]] = MappingProxyType(
    {
        "schema": (stored.schema,),
        "hashes": (stored.hashes,),
        "identity": (identity.identity,),
        "provenance": (identity.provenance,),
        "plan": (identity.plan,),
        "observations": (observed.observations,),
        "scores": (scores.scores,),
        "plausibility": (scores.plausibility,),
        "speakers": (speakers.speakers,),
        "training data": (speakers.training_data,),
    }
)
"""By name, in the order in which they are made."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in one run; it is refused if there is any problem. Notes are what could not be checked."""

    path: Path
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def lines(self) -> Iterator[str]:
        yield f"{self.path}: {'accepted' if self.ok else f'refused, {len(self.problems)} problems'}"
        yield from (f"  {problem}" for problem in self.problems)
        yield from (f"  note: {note}" for note in self.notes)

    def to_json(self) -> dict[str, Any]:
        told = [{"check": p.check, "where": p.where, "what": p.what} for p in self.problems]
        return {"path": str(self.path), "ok": self.ok, "problems": told, "notes": list(self.notes)}


def validate(path: Path, *, strict: bool = False) -> list[Report]:
    """Check a run, or every run below a results folder; raises InputError where there is none.

    ``strict`` refuses runs with notes: those that could not be checked whole, or that another version scored.
    """
    if (path / "run.json").is_file():
        return [validate_run(RunFolder(path), strict=strict)]
    folders = run_folders(path) or [RunFolder(found.parent) for found in sorted(path.glob("**/run.json"))]
    if not folders:
        raise InputError("no run.json here or below", where=str(path), fix="name a run's folder or a results folder")
    return [validate_run(folder, strict=strict) for folder in folders]


def validate_run(folder: RunFolder, *, strict: bool = False) -> Report:
    """Every check of one run; where its files can't be read, that is the only problem."""
    try:
        run = Stored.read(folder)
    except InputError as error:
        return Report(folder.path, (Problem("schema", _inside(folder, error.where), error.what),))
    found = [problem for checks in CHECKS.values() for check in checks for problem in check(run)]
    notes = tuple(_notes(run, found))
    if strict:
        return Report(folder.path, (*found, *(Problem("strict", "note", note) for note in notes)))
    return Report(folder.path, tuple(found), notes)


def _notes(run: Stored, found: Sequence[Problem]) -> Iterator[str]:
    if run.pruned:
        yield f"its observations were taken away ({run.pruned}): no score was computed again"
    yield from speakers.unchecked(run)
    yield from scores.otherwise(run)
    if not any(problem.check == "scores" for problem in found):
        newer = sorted(scores.newer(run))
        if newer:
            yield f"scored before there were {', '.join(newer)}"


def _inside(folder: RunFolder, where: str | None) -> str:
    return (where or "").replace(f"{folder.path}/", "") or str(folder.path)


def named(results: Path, text: str) -> Path:
    """A path as it is, else the run that the text names."""
    return Path(text) if Path(text).exists() else query.find_run(results, text)
