"""Timing things in turns, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

READ_BYTES = 128 * 2**20
"""To read once for the bandwidth of memory: beyond any cache."""


def best_of_turns(
    runs: dict[str, Callable[[], object]], n_rounds: int, *, clock: Callable[[], float] = perf_counter
) -> dict[str, float]:
    """Least seconds of each, taken in turns; ``thread_time`` leaves out what else the processor did meanwhile."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(n_rounds):
        for name, run in runs.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best
