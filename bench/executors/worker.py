"""The process in which one cell is observed: ``python -m earmark.bench.executors.worker``.

The job comes as one line of JSON on standard input, which then stays open: when it closes, the driver is gone and so
are we. What we report (progress, then one ending) goes to the original standard output as JSON lines; everything that
libraries print goes to standard error, which the driver keeps in a log file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

from earmark.bench import registry
from earmark.bench.api import InputError, Recognizer, SpeakerEmbedder, Unsupported
from earmark.bench.planning import Planned
from earmark.bench.tables import Writer

Report = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Run the job on standard input and report how it ended."""
    channel = _own_channel()
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_driver, daemon=True).start()

    def report(message: Mapping[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    report(run_job(job, report))
    os._exit(0)  # a foreign engine's threads must not keep us


def run_job(job: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Observe the job's cell into its folder, or train its checkpoint; how it ended, as a status with a reason."""
    try:
        flags, trained_on = _carry_out(job, report)
    except Unsupported as error:
        return {"status": "unsupported", "reason": str(error)}
    except InputError as error:
        return {"status": "failed", "reason": str(error), "bad_input": True}
    except MemoryError as error:
        return {"status": "out_of_memory", "reason": str(error) or "out of memory"}
    except Exception as error:
        traceback.print_exc()
        return _failure(error)
    return {"status": "ok", "flags": flags, "trained_on": trained_on}


def _failure(error: Exception) -> dict[str, Any]:
    reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    status = "out_of_memory" if type(error).__name__ == "OutOfMemoryError" else "failed"
    return {"status": status, "reason": reason}


def _carry_out(job: Mapping[str, Any], report: Report) -> tuple[list[str], list[str]]:
    """What kind of job it is stands in its keys."""
    if "cell" in job and job["cell"]["task"] == "finding":
        from earmark.bench.executors.drawing import draw_worlds

        return draw_worlds(job, report)
    if "cell" in job:
        return _observe(job, report)
    if "training" in job:
        from earmark.bench.executors.teaching import teach

        return teach(job, report)
    if "repair" in job:
        from earmark.bench.executors.repairing import repair

        return repair(job, report)
    from earmark.bench.executors import finding

    jobs = {"find": finding.find, "assign": finding.assign, "embed": finding.embed}
    return next(carry_out for name, carry_out in jobs.items() if name in job)(job, report)


def _observe(job: Mapping[str, Any], report: Report) -> tuple[list[str], list[str]]:
    from earmark.bench.corpora.load import load_corpus
    from earmark.bench.executors.teaching import load_trained
    from earmark.bench.observe import conversation, recognition, verification
    from earmark.bench.observe.selection import select_references, select_rows, vocabulary_of
    from earmark.bench.observe.settings import Settings, prepare, require_device

    cell = Planned.model_validate(job["cell"])
    _pin(cell.threads)
    plugin = registry.scan(tuple(Path(p) for p in job["plugin_files"])).named(cell.plugin, "model")
    build = registry.resolve(plugin.spec)
    corpus = load_corpus(job["corpus"], cache=Path(job["cache"]), progress=lambda *_: None)
    settings = Settings(
        cell=cell.cell, split=cell.split, condition=cell.condition, seed=cell.seed, device=cell.device,
        chunk_ms=cell.chunk_ms, pacing=cell.pacing, passes=cell.passes, threads=cell.threads,
        timing_recordings=cell.timing_recordings, timing_only=bool(job.get("only_timed")), concurrent=cell.concurrent,
        options=cell.options, pair_within=tuple(cell.pair_within),
    )  # fmt: skip
    rows = select_rows(corpus, cell, only_timed=settings.timing_only)
    require_device(cell.device)
    prepare(settings)
    words = vocabulary_of(corpus) if cell.vocabulary == "corpus" else None
    started = time.perf_counter()
    if job.get("checkpoint"):
        model, seen = load_trained(build, Path(job["checkpoint"]), device=cell.device)
    else:
        model, seen = build(cell.preset, options=cell.options, vocabulary=words, seed=cell.seed, device=cell.device), []
    load_s = time.perf_counter() - started

    def advance(done: int, total: int, what: str) -> None:
        report({"done": done, "total": total, "what": what})

    with Writer(Path(job["folder"]), cell.cell) as writer:
        if cell.task == "recognition":
            told = _told(job.get("conditions"))
            flags = recognition.observe(cast(Recognizer, model), rows, settings, writer, advance, told)
        elif cell.task == "verification":
            others = select_references(corpus, cell, rows)
            embedder = cast(SpeakerEmbedder, model)
            flags = verification.observe(embedder, rows, settings, writer, advance, others, corpus.trials)
        else:
            flags = conversation.observe(cast(Recognizer, model), rows, settings, writer, advance)
        writer.add("facts", utterance_id="", name="model_load_s", value=load_s)
        writer.add("facts", utterance_id="", name="peak_rss_mib", value=peak_rss_mib())
    return flags, [*model.info.trained_on, *seen]


def _told(conditions: Mapping[str, Any] | None) -> Callable[[str | None], tuple[float, ...] | None]:
    """What a model is told of a speaker: the condition of the cohort, or the hidden one; None where it wants none."""
    if conditions is None:
        return lambda _speaker: None
    of_speaker, hidden = conditions["of_speaker"], tuple(conditions["hidden"])
    return lambda speaker: tuple(of_speaker.get(speaker, hidden))


def peak_rss_mib() -> float:
    """The most resident memory this program has had, in MiB; what its parent used is not counted."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _pin(threads: int) -> None:
    """Stay on as many processors as the cell has threads: the last ones, since the driver runs on any."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _own_channel() -> IO[str]:
    """The original standard output for ourselves; prints of libraries are sent to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _die_with_driver() -> None:
    """The worker leads a session of its own: when the driver is gone, so is everything that a plugin has started.

    Read below Python's buffer, whose lock a forked process would inherit and wait for.
    """
    while os.read(0, 65_536):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
