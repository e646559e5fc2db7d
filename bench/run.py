"""The one loop: plan, observe each cell, score, store. It sees specs and contracts, never a plugin by name.

``run_suite`` continues the newest run of the same plan on this host; when that is complete it says so and measures
nothing. With ``new`` it opens a run that reuses quality observations (flag ``reused:<run>``) and measures timing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from filelock import FileLock, Timeout

from earmark.bench import ledger, preflight, progress, provenance, reuse, rows, score, store
from earmark.bench.api import InputError
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.executors.local import Ended, run_cell
from earmark.bench.learning import School, checkpoint_folder
from earmark.bench.planning import Planned
from earmark.bench.preflight import Prepared, Request

Say = Callable[[str], None]
BAD_INPUT = "bad_input"
MEMORY_SHARE = 0.8
"""Of the machine's memory, what a worker may use where the suite sets no limit."""


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
            return _carry_out(prepared, folder, run, say)
    except Timeout as error:
        raise InputError(
            "another process is at work on it", where=str(folder.path), fix="wait for it to end"
        ) from error


def _carry_out(prepared: Prepared, folder: store.RunFolder, run: rows.Run, say: Say) -> Outcome:
    stolen = provenance.cpu_times()
    done = {cell.cell: cell for cell in folder.read_cells()}
    measurements = {cell: [row for row in folder.read_measurements() if row.cell == cell] for cell in done}
    waiting = [cell for cell in prepared.cells if cell.cell not in done]
    school = School(prepared, folder.path / "logs", say)
    school.teach(cell.train_key for cell in waiting)
    for number, cell in enumerate(waiting, start=1):
        title = f"[{number}/{len(waiting)}] {cell.plugin} on {cell.corpus} ({cell.condition}, {cell.device})"
        learned = school.ending(cell.train_key)
        say(title)
        if learned is not None and learned.status != "ok":
            row, ended = _untrained(prepared, cell, learned), learned
        else:
            row, ended = _observe(prepared, folder, run, cell, title)
        row, measurements[cell.cell] = _scored(row, cell, folder, run.normalizer)
        done[cell.cell] = row
        run = ledger.with_trained_on(run, cell.plugin, ended)
        run = run.model_copy(update={"checkpoints": {**run.checkpoints, **school.facts}})
        folder.write_run(run)
        folder.write_measurements(m for found in measurements.values() for m in found)
        folder.write_cells(done.values())
        say(f"  {row.status}" + (f": {row.reason}" if row.reason else ""))
    folder.clear_partial()
    folder.write_run(ledger.finished(run, folder, stolen))
    return Outcome(folder, len(waiting), exit_code(list(done.values())))


def _scored(
    row: rows.Cell, cell: Planned, folder: store.RunFolder, normalizer: str
) -> tuple[rows.Cell, list[rows.Measurement]]:
    """A cell's measurements; one that can't be scored fails by itself, its observations stay for ``earmark score``."""
    try:
        return row, score.score_cell(row, cell, folder, normalizer)
    except Exception as error:
        reason = f"scoring: {type(error).__name__}: {error}".splitlines()[0]
        failed = row.model_copy(update={"status": "failed", "reason": reason})
        return failed, score.score_cell(failed, cell, folder, normalizer)


def _observe(
    prepared: Prepared, folder: store.RunFolder, run: rows.Run, cell: Planned, title: str
) -> tuple[rows.Cell, Ended]:
    """Observe one cell in a worker and put what it wrote in its place; the row says how it ended."""
    earlier = None
    if run.reuses_quality:
        earlier = reuse.find_earlier(prepared.request.results, cell.cell, before=folder.run_id)
    partial = folder.partial(cell.cell)
    job = {
        "cell": cell.model_dump(mode="json"),
        "threads": cell.threads,
        "checkpoint": str(checkpoint_folder(cell.train_key)) if cell.train_key in prepared.trainings else None,
        "corpus": prepared.corpus_of(cell)[0],
        "cache": str(cache_dir()),
        "plugin_files": [str(path) for path in prepared.request.plugin_files],
        "folder": str(partial),
        "only_timed": earlier is not None,
    }
    with progress.shown(title, quiet=prepared.request.quiet) as advance:
        ended = run_cell(
            job,
            timeout_s=60 * cell.timeout_minutes,
            memory_mib=cell.memory_mib or int(MEMORY_SHARE * provenance.memory_mib()),
            log=folder.path / "logs" / f"{cell.cell}.txt",
            advance=advance,
        )
    flags = [*ended.flags, *prepared.corpus_of(cell)[1].flags, *_conditions(cell)]
    flags += [BAD_INPUT] if ended.bad_input else []
    try:
        if ended.status == "ok" and earlier is not None:
            flags += [*reuse.merge(earlier, partial), *reuse.origin_flags(earlier)]
        if ended.status == "ok":
            folder.publish(cell.cell)
    except Exception as error:  # a damaged earlier file or a full disk costs this cell
        ended = Ended("failed", f"storing: {type(error).__name__}: {error}".splitlines()[0])
    reason = ledger.without_paths(ended.reason, prepared, cell) if ended.reason else None
    return _row(cell, replace(ended, reason=reason), sorted(set(flags))), ended


def _untrained(prepared: Prepared, cell: Planned, learned: Ended) -> rows.Cell:
    """The row of a cell whose model could not be trained."""
    reason = ledger.without_paths(f"training: {learned.reason}", prepared, cell)
    return _row(cell, replace(learned, reason=reason), [BAD_INPUT] if learned.bad_input else [])


def _row(cell: Planned, ended: Ended, flags: list[str]) -> rows.Cell:
    identity = cell.model_dump(
        exclude={
            "vocabulary",
            "timing_recordings",
            "limit",
            "exclude",
            "timeout_minutes",
            "memory_mib",
            "cohorts",
            "slices",
            "metrics",
        }
    )
    return rows.Cell(**identity, status=ended.status, reason=ended.reason, flags=flags)


def _conditions(cell: Planned) -> list[str]:
    """What makes a cell's task other than the whole split with open vocabulary: said in every row of it."""
    left_out = [f"excluded:{column}={value}" for column, values in cell.exclude.items() for value in values]
    limits = [f"limit:{cell.limit}"] if cell.limit else []
    return [*left_out, *limits, *([f"vocabulary:{cell.vocabulary}"] if cell.vocabulary else [])]


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
