"""Whether a run is what it says it is: named, dated, planned and made as its files tell, with nothing left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import normalize
from earmark.bench.planning import Planned, digest
from earmark.bench.rows import SCHEMA_VERSION, Cell
from earmark.bench.store import run_id
from earmark.bench.validate.stored import Problem, Stored

_NUMBERED = re.compile(r"-\d{1,3}$")
REQUIRED_PACKAGES = ("numpy",)


def identity(stored: Stored) -> Iterator[Problem]:
    """``run.json`` belongs to this folder: its name, suite, dates, commit and host, and the plan beside it, agree."""
    run, path = stored.run, stored.folder.path
    if run.run_id != path.name:
        yield Problem("identity", "run.json", f"it is of run {run.run_id}, the folder is {path.name}")
    if path.parent.parent.name == f"v{SCHEMA_VERSION}" and run.suite != path.parent.name:
        yield Problem("identity", "run.json", f"it is of suite {run.suite}, the folder is {path.parent.name}")
    expected = run_id(datetime.fromisoformat(run.started_at), run.host.id, run.git_sha, run.git_dirty)
    if expected not in (run.run_id, _NUMBERED.sub("", run.run_id)):
        yield Problem("identity", "run.json", f"start, host and commit make the id {expected}, not {run.run_id}")
    suite = stored.plan_json["suite"]
    if suite["name"] != run.suite:
        yield Problem("identity", "plan.json", f"it is of suite {suite['name']}, run.json of {run.suite}")
    if digest(suite) != run.suite_digest:
        yield Problem("identity", "plan.json", f"its suite's digest is {digest(suite)}, not {run.suite_digest}")
    planned = digest([suite["name"], suite["normalizer"], stored.plan_json["cells"]])
    if planned != run.plan_digest:
        yield Problem("identity", "plan.json", f"its digest is {planned}, run.json says {run.plan_digest}")


def provenance(stored: Stored) -> Iterator[Problem]:
    """What somebody needs to make the run again is there: commit, packages, plugins, corpora, checkpoints."""
    run = stored.run
    if not run.complete or run.finished_at is None:
        yield Problem("provenance", "run.json", "the run is not complete")
    if run.git_sha is None:
        yield Problem("provenance", "run.json", "no commit: nobody can run this code again")
    if run.git_dirty:
        yield Problem("provenance", "run.json", "uncommitted changes: nobody can run this code again")
    for name in REQUIRED_PACKAGES:
        if name not in run.packages:
            yield Problem("provenance", "run.json", f"no version of {name}")
    try:
        normalize("", run.normalizer)
    except InputError as error:
        yield Problem("provenance", "run.json", str(error))
    fingerprints = {corpus.fingerprint for corpus in run.corpora.values()}
    for cell in stored.cells:
        yield from _of_cell(stored, cell, fingerprints)


def _of_cell(stored: Stored, cell: Cell, fingerprints: set[str]) -> Iterator[Problem]:
    run, where = stored.run, f"cell {cell.cell}"
    plugin = run.plugins.get(f"{cell.plugin} (fairness)" if cell.task == "finding" else cell.plugin)
    if plugin is None or not plugin.digest or not plugin.version:
        yield Problem("provenance", where, f"run.json doesn't say which {cell.plugin} it was")
    if cell.task != "finding" and cell.corpus_fingerprint not in fingerprints:
        yield Problem("provenance", where, f"run.json knows no corpus {cell.corpus_fingerprint[:12]}...")
    checkpoint = run.checkpoints.get(cell.train_key)
    if cell.status != "ok" or not cell.train_corpus:
        return
    if not checkpoint or not checkpoint.get("sha256"):
        yield Problem("provenance", where, f"run.json has no checkpoint {cell.train_key}")
        return
    for field in ("plugin", "seed", "steps"):
        if field in checkpoint and checkpoint[field] != getattr(cell, field):
            told = f"{field} is {getattr(cell, field)}, its checkpoint says {checkpoint[field]}"
            yield Problem("provenance", where, told)


def plan(stored: Stored) -> Iterator[Problem]:
    """Every planned cell has its row, every row was planned, and both say the same."""
    rows = {cell.cell: cell for cell in stored.cells}
    for name in stored.planned.keys() - rows.keys():
        yield Problem("plan", "cells.jsonl", f"planned and not there: {name} ({stored.planned[name].plugin})")
    for name, cell in rows.items():
        planned = stored.planned.get(name)
        if planned is None:
            yield Problem("plan", "cells.jsonl", f"there and not planned: {name} ({cell.plugin})")
            continue
        for field in sorted(set(Planned.model_fields) & set(Cell.model_fields)):
            if getattr(cell, field) != getattr(planned, field):
                told = f"{field} is {getattr(cell, field)}, the plan says {getattr(planned, field)}"
                yield Problem("plan", f"cell {name}", told)
        if cell.status == "ok" and not stored.pruned and not stored.folder.observations(name).is_dir():
            yield Problem("plan", f"cell {name}", "it is ok and has no observations")
    measured = {row.cell for row in stored.measurements}
    for name in measured - rows.keys():
        yield Problem("plan", "measurements.jsonl", f"rows of a cell that is not there: {name}")
