"""Checkpoints before cells: found in the cache, or trained by a worker process and kept there.

A checkpoint lies in ``<cache>/checkpoints/<train key>/``; what a killed training has reached lies beside it and is
taken up again. Equal keys mean equal weights, so every run, and every suite, shares them.

Trainings go on side by side, as many as the processors have room for: a small model gains little from a second thread.
Nothing is measured meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from earmark.bench import progress, provenance
from earmark.bench.api import InputError
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.executors.local import STOPPED, Ended, run_cell
from earmark.bench.planning import Training
from earmark.bench.preflight import Prepared

Say = Callable[[str], None]
TIMEOUT_MINUTES = 24 * 60.0
LEAST_MIB = 3072
"""Memory of the machine without which no further training begins beside another."""
TOLD = (
    "sha256",
    "plugin",
    "seed",
    "steps",
    "best_step",
    "dev_metric",
    "dev_value",
    "trained_on",
    "repair",
    "target",
    "base",
    "base_sha256",
    "log",
)


def checkpoint_folder(train_key: str) -> Path:
    return cache_dir() / "checkpoints" / train_key


def state_file(train_key: str) -> Path:
    """Where a training that is going on keeps what it needs to be taken up again."""
    return cache_dir() / "checkpoints" / f"{train_key}.state.safetensors"


def newest_checkpoint(plugin: str, preset: str | None) -> Path | None:
    """The folder of the checkpoint of a model that was written last, or None."""
    from earmark.bench.training import checkpoint

    found = []
    for path in (cache_dir() / "checkpoints").glob(f"*/{checkpoint.CONFIG}"):
        config = checkpoint.config_of(path.parent)
        if config.get("plugin") == plugin and preset in (None, config.get("preset")):
            found.append((path.stat().st_mtime, path.parent))
    return max(found)[1] if found else None


@dataclass(frozen=True, slots=True)
class Lesson:
    """Something that leaves a checkpoint under ``key``; ``job`` is what a worker is told beside its places."""

    key: str
    plugin: str
    seed: int
    title: str
    device: str
    threads: int
    job: Mapping[str, Any]
    after: str | None = None
    """The lesson that it goes on from."""

    @classmethod
    def of(cls, training: Training) -> Lesson:
        title = f"training {training.plugin} ({training.preset}, seed {training.seed}, {training.device})"
        job: dict[str, Any] = {"training": training.model_dump(mode="json")}
        after = training.base.train_key if training.base else None
        if after:
            job["checkpoint"] = str(checkpoint_folder(after))
        return cls(
            training.train_key, training.plugin, training.seed, title, training.device, training.recipe.threads, job,
            after,
        )  # fmt: skip


@dataclass
class School:
    """Sees to it that checkpoints are there, each at most once in a run; ``facts`` are for ``run.json``."""

    prepared: Prepared
    logs: Path
    say: Say
    at_once: int = 1
    stopped: threading.Event = field(default_factory=threading.Event)
    endings: dict[str, Ended] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def teach(self, lessons: Iterable[Lesson]) -> None:
        """See to it that every checkpoint of these lessons is there; ``ending`` then says how it went."""
        for wanted in _generations({lesson.key: lesson for lesson in lessons}):
            self._teach(wanted)

    def _teach(self, wanted: Sequence[Lesson]) -> None:
        self.at_once = at_once([lesson for lesson in wanted if not _is_there(lesson.key)])
        with progress.several(quiet=self.prepared.request.quiet) as begin, ThreadPoolExecutor(self.at_once) as pool:
            try:
                for lesson, ended in zip(wanted, pool.map(lambda t: self._ended(t, begin), wanted), strict=True):
                    self.endings[lesson.key] = ended
            except BaseException:  # such as Ctrl-C: the workers would go on, and the pool would wait for them
                self.stopped.set()
                raise

    def ending(self, key: str) -> Ended | None:
        """How training ended, or None where nothing was to be trained for this key."""
        return self.endings.get(key)

    def _ended(self, lesson: Lesson, begin: Callable[[str], progress.Advance]) -> Ended:
        if self.stopped.is_set():
            return STOPPED
        before = self.endings.get(lesson.after or "")
        if before is not None and before.status != "ok":
            return before
        try:
            return self._learn(lesson, begin)
        except InputError as error:  # a damaged checkpoint costs its own cells
            return Ended("failed", str(error))
        except Exception as error:  # a full disk too
            return Ended("failed", f"{type(error).__name__}: {error}".splitlines()[0])

    def _learn(self, lesson: Lesson, begin: Callable[[str], progress.Advance]) -> Ended:
        folder = checkpoint_folder(lesson.key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            known = _facts(folder)
            if known is None:
                ended = self._in_worker(lesson, begin)
                if ended.status != "ok":
                    return ended
                known = _facts(folder)
            else:
                self.say(f"{lesson.plugin} (seed {lesson.seed}): checkpoint {lesson.key} is there")
        assert known is not None
        self.facts[lesson.key] = known
        return Ended("ok", trained_on=tuple(known["trained_on"] or ()))

    def _in_worker(self, lesson: Lesson, begin: Callable[[str], progress.Advance]) -> Ended:
        self.say(lesson.title)
        job = {
            **lesson.job,
            "threads": lesson.threads,
            "cache": str(cache_dir()),
            "plugin_files": [str(path) for path in self.prepared.request.plugin_files],
            "folder": str(checkpoint_folder(lesson.key)),
            "state": str(state_file(lesson.key)),
        }
        return run_cell(
            job,
            timeout_s=60 * TIMEOUT_MINUTES,
            memory_mib=int(0.8 * provenance.memory_mib() / self.at_once),
            log=self.logs / f"{lesson.key}.txt",
            advance=begin(lesson.title),
            stopped=self.stopped,
        )


def needed(trainings: Iterable[Training]) -> list[Training]:
    """These and, of those whose checkpoint isn't there, what they go on from."""
    found: dict[str, Training] = {}
    for training in trainings:
        if training.base is not None and not _is_there(training.train_key):
            found.update((one.train_key, one) for one in needed([training.base]))
        found[training.train_key] = training
    return list(found.values())


def _generations(lessons: Mapping[str, Lesson]) -> Iterator[list[Lesson]]:
    """The lessons in turns: each after the one that it goes on from."""
    left = dict(lessons)
    while left:
        ready = [lesson for lesson in left.values() if lesson.after not in left]
        yield ready
        left = {key: lesson for key, lesson in left.items() if lesson.after in left}


def at_once(lessons: Sequence[Lesson]) -> int:
    """How many go on side by side: as many as processors have threads for, and the most that there are to do.

    On a GPU one after the other, which has it for itself.
    """
    if not lessons or any(lesson.device != "cpu" for lesson in lessons):
        return 1
    threads = max(lesson.threads for lesson in lessons)
    return max(1, min(len(lessons), _processors() // threads, provenance.memory_mib() // LEAST_MIB))


def _is_there(key: str) -> bool:
    from earmark.bench.training import checkpoint

    return (checkpoint_folder(key) / checkpoint.CONFIG).is_file()


def _processors() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _facts(folder: Path) -> dict[str, Any] | None:
    """What ``run.json`` tells of a checkpoint; None where there is none. A damaged one is an InputError."""
    from earmark.bench.training import checkpoint

    if not (folder / checkpoint.CONFIG).is_file():
        return None
    config = checkpoint.config_of(folder)
    return {name: config[name] for name in TOLD if name in config}
