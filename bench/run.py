"""The one loop: plan, observe each cell, score, store. It sees specs and contracts, never a plugin by name.

``run_suite`` continues the newest run of the same plan on this host; when that is complete it says so and measures
nothing. With ``new`` it opens a run that reuses quality observations (flag ``reused:<run>``) and measures timing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filelock import FileLock, Timeout

from earmark.bench import ledger, preflight, provenance, rows, store
from earmark.bench.api import InputError
from earmark.bench.conducting import Conductor
from earmark.bench.observing import BAD_INPUT
from earmark.bench.preflight import Prepared, Request

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished call of ``run_suite``."""

    folder: store.RunFolder
    measured: int
    exit_code: int


def run_suite(request: Request, say: Say) -> Outcome:
    """Carry out a suite; ``say`` gets plain lines for the user."""
    prepared = preflight.prepare(request)
    folder, run = _continue_or_open(prepared, say)
    if run.complete:
        say(f"run {run.run_id} is complete: nothing was measured (--new measures again)")
        return Outcome(folder, 0, exit_code(folder.read_cells()))
    try:
        with FileLock(folder.path / ".lock", timeout=0):
            conductor = Conductor(prepared, folder, run, say)
            measured = conductor.carry_out()
            return Outcome(folder, measured, exit_code(list(conductor.done.values())))
    except Timeout as error:
        raise InputError(
            "another process is at work on it", where=str(folder.path), fix="wait for it to end"
        ) from error


def _continue_or_open(prepared: Prepared, say: Say) -> tuple[store.RunFolder, rows.Run]:
    known = _newest(prepared)
    if known is not None:
        folder, run = known
        if not run.complete:
            say(f"continuing run {run.run_id}: {len(folder.read_cells())} of {len(prepared.cells)} cells are done")
        return folder, run
    cost = preflight.estimate(prepared)
    preflight.check_disk(cost)
    say(
        f"suite {prepared.suite.name}: {cost.n_cells} cells, {cost.audio_s / 60:.1f} minutes of audio to stream, "
        f"about {cost.disk_mib:.1f} MiB of disk ({cost.free_mib / 1024:.0f} GiB free)"
    )
    return ledger.open_run(prepared)


def _newest(prepared: Prepared) -> tuple[store.RunFolder, rows.Run] | None:
    """The newest run of this plan on this host; with ``--new`` only such a one that was not finished."""
    host = provenance.host().id
    for folder in reversed(store.run_folders(prepared.request.results, prepared.suite.name)):
        try:
            run = folder.read_run()
        except InputError:  # of another version, or damaged: ``show`` says so, it must not stop this run
            continue
        if run.plan_digest != prepared.digest or run.host.id != host:
            continue
        return None if prepared.request.new and (run.complete or not run.reuses_quality) else (folder, run)
    return None


def exit_code(cells: Sequence[rows.Cell]) -> int:
    """0 all went well, 1 something planned did not succeed, 2 it was bad input."""
    if any(BAD_INPUT in cell.flags for cell in cells):
        return 2
    return int(any(cell.status not in ("ok", "unsupported") for cell in cells))
