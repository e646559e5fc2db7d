"""Promises about long recordings: one stream is fed up to an hour, and watched as it goes.

The hour is the two test utterances over and over, with one second of noise in the first minute that never comes
again. That second is what is looked for at the end: a stream that still holds it keeps raw audio. How much
is fed depends on the speed of the model and the time allowed; every verdict says how much it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import CountsWork
from earmark.bench.contract import signals
from earmark.bench.contract.reach import Buffer, Reach, reach
from earmark.bench.contract.subject import RecognizerSubject, copy_of
from earmark.bench.contract.verdicts import Broken, Undecided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earmark.bench.api import Samples

HOUR_S = 3600
SHORTEST_S = 60
PLANTED_S = 20
MARK_S = 5
EXCERPT = 64
_MAX_SEARCHED = 4_000_000
_BLOCK = 20_000


@dataclass(slots=True)
class LongRun:
    """What was seen as a stream was fed: (second, bytes reached), work after each second, wall seconds a minute."""

    fed_s: int = 0
    marks: list[tuple[int, int]] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)
    grown: tuple[Buffer, ...] = ()
    graph: bool = False
    error: str | None = None
    period_s: int = 1

    @property
    def how_much(self) -> str:
        return f"{self.fed_s} s of {HOUR_S} s" + ("" if self.fed_s == HOUR_S else "; --full for all")


def survives_an_hour(subject: RecognizerSubject) -> str:
    """An hour of audio goes through one stream."""
    run = long_run(subject)
    if run.error:
        raise Broken(f"after {run.fed_s} s: {run.error}")
    if len(run.minutes) < 2:
        return run.how_much
    return f"{run.how_much}, the last minute took {run.minutes[-1] / run.minutes[0]:.2f} times the first"


def keeps_no_raw_audio(subject: RecognizerSubject) -> str:
    """Samples older than a chunk and the look-ahead are gone, and what a stream holds does not grow like audio."""
    run = _finished(subject)
    info = subject.model.info
    if (info.chunk_s or 0) + info.lookahead_s > SHORTEST_S - PLANTED_S - 2:
        raise Undecided(f"its chunk and look-ahead ({(info.chunk_s or 0) + info.lookahead_s:.1f} s) span the test")
    if run.graph:
        raise Broken("its state carries an autograd graph, which keeps every input: use torch.inference_mode()")
    where = _holding(run.grown, _planted(subject.rate_hz))
    if where is not None:
        raise Broken(f"samples fed at {PLANTED_S} s are still held at {run.fed_s} s, in a buffer of {where:,} bytes")
    growth = _growth(run.marks)
    if growth >= subject.rate_hz and not _declares_growth(subject):
        raise Broken(
            f"what it holds grows by {growth / 1000:.1f} kB per second of audio (float32 audio: "
            f"{subject.rate_hz * 4 / 1000:.0f} kB); bound it, or declare it with work_grows = True on the model"
        )
    return f"{run.how_much}: {growth / 1000:+.2f} kB per second, besides what C libraries hold"


def work_per_chunk_does_not_grow(subject: RecognizerSubject) -> str:
    """n stretches of the same audio cost at most 1.1 x n x one of the first, unless growth is declared.

    "One of the first" is the median over the first minute: a median over the whole run would grow along.
    """
    run = _finished(subject)
    totals = run.work[run.period_s - 1 :: run.period_s]
    if not run.work:
        raise Undecided("the stream offers no work()")
    if len(totals) < 4:
        raise Undecided(f"only {run.fed_s} s were fed: too few stretches of {run.period_s} s to compare")
    steps = [after - before for before, after in zip([0, *totals], totals, strict=False)]
    early = median(steps[: max(2, min(SHORTEST_S // run.period_s, len(steps) // 3))])
    ratio = totals[-1] / (len(steps) * early) if early else float("inf") if totals[-1] else 1.0
    if ratio <= 1.1:
        return f"{run.how_much}: {ratio:.3f} of the cost of the first stretches"
    if _declares_growth(subject):
        return f"{run.how_much}: grows as declared, {ratio:.2f} times the cost of the first stretches"
    raise Broken(
        f"{len(steps)} stretches of {run.period_s} s cost {ratio:.2f} times as much as the first ones would; "
        "bound the context, or declare it with work_grows = True on the model"
    )


def _declares_growth(subject: RecognizerSubject) -> bool:
    """A model whose attention reaches back without limit says so."""
    return bool(getattr(subject.model, "work_grows", False))


def _finished(subject: RecognizerSubject) -> LongRun:
    run = long_run(subject)
    if run.error:
        raise Undecided(f"the long recording ended early: {run.error}")
    return run


def long_run(subject: RecognizerSubject) -> LongRun:
    """The one long stream that the three promises share; it is fed when the first of them asks."""
    run: LongRun | None = vars(subject).get("_long_run")
    if run is None:
        subject.must_be_built()
        run = vars(subject)["_long_run"] = LongRun()
        try:
            _feed(subject, run)
        except Exception as error:  # a stranger's code
            run.error = f"{type(error).__name__}: {error}"
    return run


def _feed(subject: RecognizerSubject, run: LongRun) -> None:
    seconds = _seconds(subject, run)
    before = reach([subject.model]).buffers
    stream = subject.model.stream()
    started = minute = time.perf_counter()
    while run.fed_s < HOUR_S:
        copy_of(stream.accept(next(seconds)))
        run.fed_s += 1
        if isinstance(stream, CountsWork):
            run.work.append(sum(stream.work().values()))
        if run.fed_s % (MARK_S if run.fed_s <= SHORTEST_S else 60) == 0:
            _mark(run, reach([stream, subject.model]), before)
        if run.fed_s % 60 == 0:
            run.minutes.append(time.perf_counter() - minute)
            minute = time.perf_counter()
        if run.fed_s >= SHORTEST_S and not subject.full and time.perf_counter() - started > subject.budget_s:
            break
    _mark(run, reach([stream, subject.model]), before)
    copy_of(stream.finish())


def _mark(run: LongRun, found: Reach, before: Mapping[tuple[int, int], Any]) -> None:
    run.marks.append((run.fed_s, found.n_bytes))
    run.grown = tuple(buffer for key, buffer in found.buffers.items() if key not in before)
    run.graph = run.graph or any(tensor.grad_fn is not None for tensor in found.tensors)


def _seconds(subject: RecognizerSubject, run: LongRun) -> Iterator[Samples]:
    """The hour, second by second, in copies of its own; the planted second once."""
    rate_hz = subject.rate_hz
    tile = np.concatenate([subject.first, subject.second])
    run.period_s = -(-len(tile) // rate_hz)
    tile = np.pad(tile, (0, run.period_s * rate_hz - len(tile))).reshape(run.period_s, rate_hz)
    for second in range(HOUR_S):
        yield _planted(rate_hz).copy() if second == PLANTED_S else tile[second % run.period_s].copy()


@cache
def _planted(rate_hz: int) -> Samples:
    return signals.noise(rate_hz, 1.0, seed=977)


def _growth(marks: list[tuple[int, int]]) -> float:
    """Bytes per second of audio between the first third of the marks and the last, each at its lowest."""
    third = max(1, len(marks) // 3)
    parts = (marks[1 : third + 1], marks[-third:])
    (early_s, early), (late_s, late) = (min(part, key=lambda mark: mark[1]) for part in parts)
    return (late - early) / max(1, late_s - early_s)


def _holding(buffers: Iterable[Buffer], planted: Samples) -> int | None:
    """Bytes of a buffer that holds a piece of the planted second, at any gain and in any format; None if none does."""
    starts = range(0, len(planted) - EXCERPT, max(1, len(planted) // 16))
    pieces = np.stack([planted[start : start + EXCERPT] for start in starts]).astype(np.float64)
    budget = _MAX_SEARCHED
    for buffer in buffers:
        for numbers in _readings(buffer.read()) if budget > 0 else ():
            budget -= len(numbers)
            if len(numbers) >= EXCERPT and _contains(numbers[:_MAX_SEARCHED], pieces):
                return buffer.n_bytes
    return None


def _readings(buffer: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """A buffer as numbers; bytes are read as 8-bit, 16-bit and 32-bit samples."""
    if buffer.dtype == np.uint8:
        for kind in (np.int8, np.int16, np.float32):
            usable = buffer[: len(buffer) // np.dtype(kind).itemsize * np.dtype(kind).itemsize]
            yield _finite(usable.view(kind))
    elif buffer.dtype.kind in "fiu":
        yield _finite(buffer)


def _finite(numbers: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.nan_to_num(numbers.astype(np.float64), posinf=0.0, neginf=0.0)


def _contains(numbers: NDArray[np.float64], pieces: NDArray[np.float64]) -> bool:
    """Whether some stretch of ``numbers`` is one of ``pieces`` times a constant, up to rounding: cosine above 0.98."""
    largest = np.abs(numbers).max()
    if largest == 0.0:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(numbers / largest, EXCERPT)
    lengths = np.linalg.norm(pieces, axis=1)
    for start in range(0, len(windows), _BLOCK):
        block = windows[start : start + _BLOCK]
        energy = np.sqrt(np.einsum("nk,nk->n", block, block))[:, None]
        if np.any((np.abs(block @ pieces.T) > 0.98 * energy * lengths) & (energy > 1e-4)):
            return True
    return False
