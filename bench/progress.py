"""Progress of long work: a bar with an ETA on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int, str], None]
PLAIN_EVERY_S = 15.0


@contextmanager
def shown(title: str, *, quiet: bool = False) -> Iterator[Advance]:
    """Yields ``advance(done, total, what)`` for one piece of work called ``title``."""
    with several(quiet=quiet) as begin:
        yield begin(title)


@contextmanager
def several(*, quiet: bool = False) -> Iterator[Callable[[str], Advance]]:
    """Yields ``begin(title)``, which gives the ``advance`` of one of several pieces of work going on at once."""
    if quiet:
        yield lambda _title: lambda *_: None
    elif sys.stderr.isatty():
        with _bars() as begin:
            yield begin
    else:
        yield _plain


@contextmanager
def _bars() -> Iterator[Callable[[str], Advance]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("[dim]{task.fields[what]}"), console=Console(stderr=True), transient=True
    ) as bar:

        def begin(title: str) -> Advance:
            task = bar.add_task(title, total=None, what="")

            def advance(done: int, total: int, what: str) -> None:
                bar.update(task, completed=done, total=total, what=what[:40])

            return advance

        yield begin


def _plain(title: str) -> Advance:
    said = time.monotonic()
    first: tuple[float, int, int] | None = None  # the rate counts from the first step: what was before it was loading

    def advance(done: int, total: int, what: str) -> None:
        nonlocal said, first
        now = time.monotonic()
        if first is None or first[2] != total:  # another piece of work, such as training after decoding
            first = (now, done, total)
        if now - said < PLAIN_EVERY_S or done <= first[1]:
            return
        said = now
        left_s = (now - first[0]) / (done - first[1]) * (total - done)
        print(f"  {title}: {done}/{total}, about {left_s:.0f} s left{_aside(what)}", file=sys.stderr, flush=True)

    return advance


def _aside(what: str) -> str:
    """What is going on, where it says more than which recording it is."""
    return f" ({what})" if " " in what else ""
