"""Jobs of workers carried out in the test's own process, unpinned, and noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from earmark.bench.executors.local import Ended
from earmark.bench.executors.worker import run_job


def work_here(
    monkeypatch: pytest.MonkeyPatch,
    modules: Iterable[object],
    name_of: Callable[[Mapping[str, Any]], str],
    *,
    with_flags: bool = False,
) -> list[str]:
    """Put a stand-in in the place of every module's ``run_cell``; returns the list in which jobs are noted by name.

    What models are flagged for reaches the rows only ``with_flags``.
    """
    asked: list[str] = []

    def here(job: Mapping[str, Any], *, advance: Callable[[int, int, str], None], **_limits: Any) -> Ended:
        asked.append(name_of(job))
        message = run_job(job, lambda m: advance(m["done"], m["total"], m["what"]))
        flags, told = (tuple(message.get(name, ())) for name in ("flags", "trained_on"))
        kept = flags if with_flags else ()
        return Ended(message["status"], message.get("reason"), kept, told, bool(message.get("bad_input")))

    for module in modules:
        monkeypatch.setattr(module, "run_cell", here)
    monkeypatch.setattr("earmark.bench.executors.worker._pin", lambda _threads: None)
    return asked
