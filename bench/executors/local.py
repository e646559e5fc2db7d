"""Runs a cell in a worker process on this machine, within its time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from earmark.bench.rows import Status

MIB = 1024 * 1024
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended."""

    status: Status
    reason: str | None = None
    flags: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    bad_input: bool = False


STOPPED = Ended("failed", "it was stopped with the run")


def run_cell(
    job: Mapping[str, Any],
    *,
    timeout_s: float,
    memory_mib: int,
    log: Path,
    advance: Callable[[int, int, str], None],
    stopped: threading.Event | None = None,
) -> Ended:
    """Run a job (see ``executors.worker``) to its end; the worker dies with us, whatever happens.

    Args:
        timeout_s: wall seconds after which the worker is killed (status ``timeout``).
        memory_mib: resident memory over which it is killed (status ``out_of_memory``).
        log: where its standard error goes.
        stopped: once set, the worker is killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "earmark.bench.executors.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8",
            env=_environment(int(job["threads"])), start_new_session=True,
        )  # fmt: skip
        try:
            return _supervise(process, job, timeout_s, memory_mib, advance, stopped or threading.Event())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its children too, which would hold our pipe and the processors
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()


def _supervise(
    process: subprocess.Popen[str],
    job: Mapping[str, Any],
    timeout_s: float,
    memory_mib: int,
    advance: Callable[[int, int, str], None],
    stopped: threading.Event,
) -> Ended:
    assert process.stdin is not None
    assert process.stdout is not None
    messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process.stdout, messages), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    looked = time.monotonic()
    deadline = looked + timeout_s
    while not stopped.is_set():
        gone = process.poll() is not None
        try:
            line = messages.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            line = None if gone else ""  # a child that lives on keeps the pipe open
        if line is None:
            return _died(process)
        message = json.loads(line) if line else {}
        if "status" in message:
            return _ended(message)
        if message:
            advance(message["done"], message["total"], message["what"])
        now = time.monotonic()
        if now > deadline:
            return Ended("timeout", f"not done after {timeout_s / 60:g} minutes; raise timeout_minutes or set a limit")
        if now - looked < LOOK_EVERY_S:
            continue
        looked, used_mib = now, _resident_mib(process.pid)
        if used_mib > memory_mib:
            return Ended("out_of_memory", f"used {used_mib:.0f} MiB of {memory_mib} MiB; raise memory_mib")
    return STOPPED


def _read(pipe: IO[str], messages: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(ValueError):  # closed under us, at the end
        for line in pipe:
            messages.put(line)
    messages.put(None)


def _ended(message: Mapping[str, Any]) -> Ended:
    return Ended(
        message["status"],
        message.get("reason"),
        tuple(message.get("flags", ())),
        tuple(message.get("trained_on", ())),
        bool(message.get("bad_input")),
    )


def _died(process: subprocess.Popen[str]) -> Ended:
    """The worker went without a word: killed from outside, or crashed in native code."""
    code = process.wait()
    if code == -9:
        return Ended("out_of_memory", "the worker was killed (signal 9), most likely for memory")
    return Ended("failed", f"the worker died with {f'signal {-code}' if code < 0 else f'exit status {code}'}")


def _resident_mib(pid: int) -> float:
    try:
        parent = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [parent, *parent.children(recursive=True)]) / MIB
    except psutil.Error:
        return 0.0


def _environment(threads: int) -> dict[str, str]:
    """Thread pools are sized before any library is loaded; hashes are fixed so that runs repeat."""
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(pools, str(threads)), "PYTHONHASHSEED": "0"}
