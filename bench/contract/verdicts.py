"""What a check says: kept, broken, or not decided, and how a promise becomes a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from earmark.bench.api import Unsupported

S = TypeVar("S")
Promise: TypeAlias = Callable[[S], str]
"""Returns a remark when the promise is kept, raises :class:`Broken` or :class:`Undecided`, or lets an error pass."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise of one plugin. ``detail`` is one line: what was measured, what is wrong, or why it was skipped."""

    promise: str
    status: Literal["passed", "failed", "skipped"]
    detail: str
    seconds: float


class Broken(Exception):
    """The promise is broken; the message says how."""


class Undecided(Exception):
    """The check could not decide: the plugin lacks the ability, or nothing came out that could have differed."""


def judge(promise: Promise[S], subject: S) -> Verdict:
    """Run one promise. Whatever a plugin raises is a failed promise, in one line, and never more than that."""
    started = time.perf_counter()
    status: Literal["passed", "failed", "skipped"] = "passed"
    try:
        detail = promise(subject)
    except Broken as error:
        status, detail = "failed", str(error)
    except (Undecided, Unsupported) as error:
        status, detail = "skipped", str(error)
    except Exception as error:  # a stranger's code
        status, detail = "failed", f"{type(error).__name__}: {error}"
    return Verdict(name_of(promise), status, " ".join(detail.split()), time.perf_counter() - started)


def name_of(promise: Promise[S]) -> str:
    """The name of a promise, as it is written in tables and given to ``only``."""
    return str(getattr(promise, "__name__", promise))
