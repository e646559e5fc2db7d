"""Building a synthetic corpus once, and finding it again.

A build lies under ``<cache>/synthetic/<digest>/``: ``audio/`` and ``catalog.json``. It is made in a folder beside, by
two worker processes, and renamed when it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import IO, Any

from earmark.bench.api import Corpus
from earmark.bench.corpora.files import Report, fingerprint
from earmark.bench.corpora.schema import complete, to_dataset
from earmark.bench.corpora.synthetic import SPECS
from earmark.bench.corpora.synthetic.plan import utterances
from earmark.bench.corpora.synthetic.recipes import (
    DIGITS,
    QUICK,
    SMALL,
    WORLD,
    engine_version,
    expected_fingerprint,
    recipe_digest,
)
from earmark.bench.corpora.synthetic.world import Recipe

CATALOG = "catalog.json"
N_WORKERS = 2
UNEXPECTED = "fingerprint_unexpected"
"""Flag of a build that differs from the committed fingerprint: its numbers compare only with other such builds."""


def load_quick(*, cache: Path, progress: Report) -> Corpus:
    """The corpus ``synthetic``."""
    return load(QUICK, cache=cache, progress=progress)


def load_small(*, cache: Path, progress: Report) -> Corpus:
    """The corpus ``synthetic-small``."""
    return load(SMALL, cache=cache, progress=progress)


def load_world(*, cache: Path, progress: Report) -> Corpus:
    """The corpus ``synthetic-world``."""
    return load(WORLD, cache=cache, progress=progress)


def load_digits(*, cache: Path, progress: Report) -> Corpus:
    """The corpus ``synthetic-digits``."""
    return load(DIGITS, cache=cache, progress=progress)


def load(recipe: Recipe, *, cache: Path, progress: Report) -> Corpus:
    """The corpus of a recipe, built unless it lies whole in the cache."""
    from filelock import FileLock

    digest = recipe_digest(recipe)
    folder = cache / "synthetic" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        entries = _catalog(folder)
        if entries is None:
            build(recipe, folder, progress)
            entries = _catalog(folder) or []
    return _corpus(recipe, folder, entries, digest, progress)


def build(recipe: Recipe, folder: Path, progress: Report) -> None:
    """Make every utterance of a recipe in ``folder``, whole or not at all."""
    for stale in folder.parent.glob(f".{folder.name}.*"):  # of a build that was killed: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    total = len(utterances(recipe))
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        entries = []
        for done, entry in enumerate(_work(recipe, partial)):
            entries.append(entry)
            progress(done + 1, total, f"speaking {recipe.name}")
        entries.sort(key=lambda entry: str(entry["row"]["id"]))
        (partial / CATALOG).write_text(json.dumps(entries), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _work(recipe: Recipe, folder: Path) -> Iterator[dict[str, Any]]:
    """Entries as the workers finish them; a failed worker is a RuntimeError."""
    lines: Queue[str | None] = Queue()
    with ExitStack() as stack:
        workers = [stack.enter_context(_start(recipe, folder, place)) for place in range(N_WORKERS)]
        for worker in workers:
            stack.callback(worker.kill)  # runs before the wait that ends its context
            threading.Thread(target=_pass_on, args=(worker.stdout, lines), daemon=True).start()
        n_running = N_WORKERS
        while n_running:
            line = lines.get()
            if line is None:
                n_running -= 1
            else:
                yield json.loads(line)
        if any(worker.wait() != 0 for worker in workers):
            raise RuntimeError(f"a worker that makes {recipe.name} failed; what it said stands above")


def _start(recipe: Recipe, folder: Path, place: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "earmark.bench.corpora.synthetic.worker", str(folder), str(place), str(N_WORKERS)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    worker = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **single},
    )
    assert worker.stdin
    worker.stdin.write(json.dumps(asdict(recipe)))
    worker.stdin.close()
    return worker


def _pass_on(source: IO[str], lines: Queue[str | None]) -> None:
    for line in source:
        lines.put(line)
    lines.put(None)


def _catalog(folder: Path) -> list[dict[str, Any]] | None:
    """The entries of a whole build, None where there is none: every file must have the size it was written with."""
    try:
        entries: list[dict[str, Any]] = json.loads((folder / CATALOG).read_text(encoding="utf-8"))
        whole = all((folder / entry["path"]).stat().st_size == entry["n_bytes"] for entry in entries)
    except (OSError, ValueError):
        return None
    return entries if whole else None


def _corpus(recipe: Recipe, folder: Path, entries: list[dict[str, Any]], digest: str, progress: Report) -> Corpus:
    rows = [complete({**e["row"], "audio": {"bytes": None, "path": str(folder / e["path"])}}) for e in entries]
    found = fingerprint(rows, {entry["row"]["id"]: entry["pcm_sha256"] for entry in entries})
    expected = expected_fingerprint(recipe)
    if found != expected:
        wanted = f"not as {expected[:12]}" if expected else "which is not a known build"
        what = f"warning: {recipe.name} came out as {found[:12]}, {wanted}; do not compare with numbers from elsewhere"
        progress(len(rows), len(rows), what)
    spec = next((spec for spec in SPECS if spec.name == recipe.name), SPECS[0])
    return Corpus(
        name=recipe.name,
        rows=to_dataset(rows),
        fingerprint=found,
        license=spec.license,
        source=spec.source,
        revision=f"{digest} (espeakng-loader {engine_version()})",
        flags=() if found == expected else (UNEXPECTED,),
        area_attributes=json.loads((Path(__file__).parent / "areas.json").read_text(encoding="utf-8")),
    )
