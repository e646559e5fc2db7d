"""One cell: observed by a worker, its row made, its measurements computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from earmark.bench import ledger, progress, provenance, reuse, rows, score, store
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.corpora.seen import seen_flags
from earmark.bench.executors.local import Ended, run_cell
from earmark.bench.planning import Planned
from earmark.bench.preflight import Prepared

BAD_INPUT = "bad_input"
MEMORY_SHARE = 0.8
"""Of the machine's memory, what a worker may use where the suite sets no limit."""


def scored(
    row: rows.Cell, cell: Planned, folder: store.RunFolder, normalizer: str
) -> tuple[rows.Cell, list[rows.Measurement]]:
    """A cell's measurements; one that can't be scored fails by itself, its observations stay for ``earmark score``."""
    try:
        return row, score.score_cell(row, cell, folder, normalizer)
    except Exception as error:
        reason = f"scoring: {type(error).__name__}: {error}".splitlines()[0]
        failed = row.model_copy(update={"status": "failed", "reason": reason})
        return failed, score.score_cell(failed, cell, folder, normalizer)


def observe(
    prepared: Prepared, folder: store.RunFolder, run: rows.Run, cell: Planned, title: str, told: Mapping[str, Any]
) -> tuple[rows.Cell, Ended]:
    """Observe one cell in a worker and put what it wrote in its place; the row says how it ended.

    ``told`` is what the worker needs to know beside the cell: the checkpoint, and what it is told of speakers.
    """
    earlier = None
    if run.reuses_quality:
        earlier = reuse.find_earlier(prepared.request.results, cell.cell, before=folder.run_id)
    partial = folder.partial(cell.cell)
    job = {
        "cell": cell.model_dump(mode="json"),
        "threads": cell.threads,
        **told,
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
    flags += seen_flags(ended.trained_on, cell.corpus, cell.train_corpus)
    try:
        if ended.status == "ok" and earlier is not None:
            flags += [*reuse.merge(earlier, partial), *reuse.origin_flags(earlier)]
        if ended.status == "ok":
            folder.publish(cell.cell)
    except Exception as error:  # a damaged earlier file or a full disk costs this cell
        ended = Ended("failed", f"storing: {type(error).__name__}: {error}".splitlines()[0])
    reason = ledger.without_paths(ended.reason, prepared, cell) if ended.reason else None
    return _row(cell, replace(ended, reason=reason), sorted(set(flags))), ended


def untrained(prepared: Prepared, cell: Planned, learned: Ended) -> rows.Cell:
    """The row of a cell whose model could not be trained."""
    reason = ledger.without_paths(learned.reason or learned.status, prepared, cell)
    return _row(cell, replace(learned, reason=reason), [BAD_INPUT] if learned.bad_input else [])


def _row(cell: Planned, ended: Ended, flags: list[str]) -> rows.Cell:
    identity = cell.model_dump(
        exclude={
            "vocabulary",
            "timing_recordings",
            "concurrent",
            "limit",
            "world",
            "exclude",
            "pair_within",
            "timeout_minutes",
            "memory_mib",
            "cohorts",
            "slices",
            "metrics",
            "repair",
            "repair_key",
            "train",
            "found",
            "baseline",
        }
    )
    return rows.Cell(**identity, status=ended.status, reason=ended.reason, flags=flags)


def _conditions(cell: Planned) -> list[str]:
    """What makes a cell's task other than the whole split with open vocabulary: said in every row of it."""
    left_out = [f"excluded:{column}={value}" for column, values in cell.exclude.items() for value in values]
    limits = [f"limit:{cell.limit}"] if cell.limit else []
    repair = [f"repair:{cell.repair}"] if cell.repair else []
    train = [f"train:{cell.train}"] if cell.train else []
    return [*left_out, *limits, *train, *repair, *([f"vocabulary:{cell.vocabulary}"] if cell.vocabulary else [])]
