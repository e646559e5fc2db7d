"""How many streams a device serves at once in real time: what "in real time" means, and the search for the number.

Streams begin at moments of their own. One server takes their chunks in the order in which they are due, so a chunk may
wait for those of other streams. The service times are those that were measured in that very order, with as many
streams open as are spoken of; the clock is virtual, and the round is repeated for a minute of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.bench import clock
from earmark.bench.metrics.latency import percentile

LIMIT_MS = 300.0
"""What 95 of 100 chunks must stay under, from the moment their audio was there to their result."""
PERIOD_S = 4.0
"""Audio of each stream that is really streamed in an attempt, in whole chunks."""
REPLAYED_S = 60.0
MOST_STREAMS = 512
"""Of one server: where a model is faster than that, the number is a lower bound."""
MOST_ATTEMPTS = 16
"""No further number is tried after so many."""
FINENESS = 0.05
"""The search ends when the largest number that was held and the smallest that was not are as close as this."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one server did in a round of ``period_s``: due and service seconds (n,) of its chunks, by time due."""

    due_s: Sequence[float]
    service_s: Sequence[float]
    period_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """``n_streams`` on each server, and the delay that 95 % of the chunks of all servers stayed under."""

    n_streams: int
    p95_ms: float

    @property
    def held(self) -> bool:
        return self.p95_ms < LIMIT_MS


@dataclass(frozen=True, slots=True)
class Found:
    """The largest number of streams that was held (0: not even one), and the smallest that was not, if any."""

    held: int
    failed: int | None


def period_s(chunk_ms: int) -> float:
    """How long a round is: as many whole chunks as come next to :data:`PERIOD_S`."""
    return max(1, round(1000 * PERIOD_S / chunk_ms)) * chunk_ms / 1000


def p95_ms(rounds: Iterable[Round]) -> float:
    """The delay in ms that 95 % of all servers' chunks stay under, over a minute."""
    delays = [clock.replay_round(r.due_s, r.service_s, r.period_s, math.ceil(REPLAYED_S / r.period_s)) for r in rounds]
    return 1000 * percentile(np.concatenate(delays), 95)


def busy_share(rounds: Sequence[Round]) -> float:
    """Of the busiest server, the share of the time in which it was at work; above 1 it can't keep up."""
    return max(sum(r.service_s) / r.period_s for r in rounds)


def bracket(attempts: Iterable[Attempt]) -> Found:
    """What some attempts say: a number was held if one of its attempts was, since other programs only ever add.

    A number that failed bounds those above it, whatever a lucky one of them did.
    """
    held: dict[int, bool] = {}
    for attempt in attempts:
        held[attempt.n_streams] = attempt.held or held.get(attempt.n_streams, False)
    failed = min((n for n, was_held in held.items() if not was_held), default=None)
    below = [n for n, was_held in held.items() if was_held and (failed is None or n < failed)]
    return Found(max(below, default=0), failed)


def search(attempt: Callable[[int], tuple[Attempt, float]]) -> list[Attempt]:
    """Tries numbers of streams until the bracket is close; ``attempt`` gives the delay and the busy share.

    A number that fails is tried a second time: one stall of the machine makes a short round fail.
    """
    tried: list[Attempt] = []
    shares: list[float] = []

    def look(n_streams: int) -> None:
        for _ in range(2):
            found, share = attempt(n_streams)
            tried.append(found)
            shares.append(share)
            if found.held:
                return

    look(1)
    share = min(shares)
    n = min(MOST_STREAMS, math.floor(1 / share)) if share > 0 else MOST_STREAMS
    while len(tried) < MOST_ATTEMPTS and (n := _next(bracket(tried), n)):
        look(n)
    return tried


def _next(found: Found, guess: int) -> int:
    """The guess, then half as many again while nothing failed, then between the two ends; 0 when it is enough."""
    if found.failed is None:
        n = max(guess, 2) if found.held <= 1 else min(MOST_STREAMS, max(found.held + 1, found.held * 3 // 2))
        return n if n > found.held else 0
    close = found.failed - found.held <= max(1.0, FINENESS * found.held)
    return 0 if close else max(found.held + 1, (found.held + found.failed) // 2)
