"""The one loop: plan, observe each cell, score, store. It sees specs and contracts, never a plugin by name.

``run_suite`` continues the newest run of the same plan on this host; when that is complete it says so and measures
nothing. With ``new`` it opens a run that reuses quality observations (flag ``reused:<run>``) and measures timing anew.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from earmark import __version__
from earmark.bench import preflight, progress, provenance, reuse, rows, score, store
from earmark.bench.api import InputError, ModelSpec
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.executors.local import Ended, run_cell
from earmark.bench.planning import Planned, digest
from earmark.bench.preflight import Prepared, Request

Say = Callable[[str], None]
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
        return Outcome(folder, 0, _exit_code(folder.read_cells(), set()))
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
    bad: set[str] = set()
    waiting = [cell for cell in prepared.cells if cell.cell not in done]
    for number, cell in enumerate(waiting, start=1):
        title = f"[{number}/{len(waiting)}] {cell.plugin} on {cell.corpus} ({cell.condition}, {cell.device})"
        say(title)
        row, ended = _observe(prepared, folder, cell, title)
        bad |= {cell.cell} if ended.bad_input else set()
        done[cell.cell] = row
        measurements[cell.cell] = score.score_cell(row, cell, folder, run.normalizer)
        folder.write_measurements(m for found in measurements.values() for m in found)
        folder.write_cells(done.values())
        run = _with_trained_on(run, cell.plugin, ended)
        say(f"  {row.status}" + (f": {row.reason}" if row.reason else ""))
    folder.clear_partial()
    folder.write_run(_finished(run, folder, stolen))
    return Outcome(folder, len(waiting), _exit_code(list(done.values()), bad))


def _observe(prepared: Prepared, folder: store.RunFolder, cell: Planned, title: str) -> tuple[rows.Cell, Ended]:
    """Observe one cell in a worker and put what it wrote in its place; the row says how it ended."""
    earlier = None
    if prepared.request.new:
        earlier = reuse.find_earlier(prepared.request.results, cell.cell, before=folder.run_id)
    partial = folder.partial(cell.cell)
    job = {
        "cell": cell.model_dump(mode="json"),
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
    if ended.status == "ok":
        if earlier is not None:
            flags += [*reuse.merge(earlier, partial), *reuse.origin_flags(earlier)]
        folder.publish(cell.cell)
    return _row(cell, ended, sorted(set(flags))), ended


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
    request = prepared.request
    known = None if request.new else _newest(prepared)
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
    return _open(prepared)


def _newest(prepared: Prepared) -> tuple[store.RunFolder, rows.Run] | None:
    """The newest run of this plan on this host."""
    host = provenance.host().id
    for folder in reversed(store.run_folders(prepared.request.results, prepared.suite.name)):
        run = folder.read_run()
        if run.plan_digest == prepared.digest and run.host.id == host:
            return folder, run
    return None


def _open(prepared: Prepared) -> tuple[store.RunFolder, rows.Run]:
    started, host, code = datetime.now(UTC), provenance.host(), provenance.code()
    name = store.run_id(started, host.id, code.sha, code.dirty)
    folder = store.new_folder(prepared.request.results, prepared.suite.name, name)
    run = rows.Run(
        run_id=folder.run_id,
        suite=prepared.suite.name,
        suite_digest=digest(prepared.suite.model_dump(mode="json")),
        plan_digest=prepared.digest,
        normalizer=prepared.suite.normalizer,
        started_at=started.isoformat(timespec="seconds"),
        earmark_version=__version__,
        git_sha=code.sha,
        git_dirty=code.dirty,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=provenance.packages(),
        plugins={name: _plugin_info(prepared, name) for name in prepared.plugins},
        host=host,
        environment=provenance.environment(max(cell.threads for cell in prepared.cells)),
        corpora={c.name: _corpus_info(prepared, name) for name, c in prepared.corpora.items()},
        command=list(prepared.request.command),
    )
    folder.write_plan(prepared.plan)
    folder.write_run(run)
    return folder, run


def _plugin_info(prepared: Prepared, name: str) -> rows.PluginInfo:
    plugin = prepared.plugins[name]
    assert isinstance(plugin.spec, ModelSpec)
    return rows.PluginInfo(
        origin=plugin.origin if plugin.version != "file" else "file",
        version=plugin.version,
        digest=prepared.plugin_digests[name],
        license=plugin.spec.license,
    )


def _corpus_info(prepared: Prepared, name: str) -> rows.CorpusInfo:
    corpus = prepared.corpora[name]
    speakers = preflight.by_split(corpus)
    return rows.CorpusInfo(
        fingerprint=corpus.fingerprint,
        revision=corpus.revision,
        license=corpus.license,
        n_utterances=len(corpus.rows),
        n_speakers=len({speaker for names in speakers.values() for speaker in names}),
        speakers_digest_by_split={split: digest(list(names)) for split, names in speakers.items()},
        flags=list(corpus.flags),
    )


def _with_trained_on(run: rows.Run, plugin: str, ended: Ended) -> rows.Run:
    """What a model was trained on is known once it has been built."""
    info = run.plugins[plugin].model_copy(update={"trained_on": list(ended.trained_on)})
    return run.model_copy(update={"plugins": {**run.plugins, plugin: info}}) if ended.trained_on else run


def _finished(run: rows.Run, folder: store.RunFolder, before: tuple[int, int]) -> rows.Run:
    stolen, total = (now - then for now, then in zip(provenance.cpu_times(), before, strict=True))
    state: dict[str, Any] = {
        "load_end": provenance.environment(run.environment.threads).load_start,
        "steal_fraction": round(stolen / total, 6) if total > 0 else None,
    }
    return run.model_copy(
        update={
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "complete": True,
            "environment": run.environment.model_copy(update=state),
            "files": folder.file_digests(),
        }
    )


def _exit_code(cells: list[rows.Cell], bad: set[str]) -> int:
    """0 all went well, 1 something planned did not succeed, 2 it was bad input."""
    if bad:
        return 2
    return int(any(cell.status not in ("ok", "unsupported") for cell in cells))


def command_line() -> tuple[str, ...]:
    """The command as it was typed; of absolute paths only the last part, since tables are published."""
    return ("earmark", *(Path(part).name if Path(part).is_absolute() else part for part in sys.argv[1:]))
