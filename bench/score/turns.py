"""Scores turns: how many there are, which were found, and how late their ends and starts were told.

Delays count audio heard by the chunk that brought a token (``..._emission_...``), or wall time on the paced stream
(``endpoint_p50``). Intervals resample conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from earmark.bench.metrics import turns
from earmark.bench.metrics.conversation import SaidTurn
from earmark.bench.metrics.latency import percentile
from earmark.bench.metrics.percentiles import percentile_bootstrap
from earmark.bench.rows import Measurement
from earmark.bench.score.conversation import Talks, by_slice, over_conversations
from earmark.bench.score.measure import Sheet

FEW = 2
"""Conversations of more turns than these have an accuracy of their own, as in arXiv 2205.05199."""
PUBLISHED = ("protocol", "over 2 turns, counted right")
"""Scheme and cohort of the delays as arXiv 2205.05199 takes them: of such conversations alone."""
Delay = Callable[[turns.Pair], float | None]
_DELAYS: Mapping[str, tuple[Delay, str]] = {
    "endpoint_emission": (turns.end_delay, "ends"),
    "last_word_emission": (turns.last_word_delay, "ends"),
    "startpoint_emission": (turns.start_delay, "starts"),
    "first_word_emission": (turns.first_word_delay, "starts"),
}
_PERCENTILES = (50, 90)


def score_turns(sheet: Sheet, talks: Talks) -> Iterator[Measurement]:
    """Rows of how many turns were said and found; one without a value where the corpus names no turns."""
    if not talks.recordings:
        yield sheet.missing("turn_count_accuracy", "unsupported", "the corpus names no turns")
        return
    found = {r.name: len(r.said) - len(r.spoken) for r in talks.recordings}
    yield _accuracy(sheet, "turn_count_accuracy", found)
    yield from by_slice(talks, found, partial(_accuracy, sheet, "turn_count_accuracy"))
    many = {r.name: found[r.name] for r in talks.recordings if len(r.spoken) > FEW}
    if many:
        yield _accuracy(sheet, "turn_count_accuracy_over_2", many)
    yield _ratio(sheet, "turn_count_error", found, dict.fromkeys(found, 1), "conversations")
    both = {r.name: len(r.said) + len(r.spoken) for r in talks.recordings}
    matched = {r.name: 2 * turns.matched_starts(r) for r in talks.recordings}
    flags = [f"tolerance:{turns.TOLERANCE_S:g}s"]
    yield _ratio(sheet, "turn_f1", matched, both, "turns", flags=flags)
    yield from _found(sheet, _paired(talks))


def score_turn_delays(sheet: Sheet, talks: Talks, wall: Mapping[str, Sequence[SaidTurn]]) -> Iterator[Measurement]:
    """Rows of the delays of turns; ``wall`` holds the turns said in timed recordings, with wall times."""
    paired = _paired(talks)
    for name, (delay, side) in _DELAYS.items():
        yield from _delay_rows(sheet, name, delay, side, paired)
        right = [
            p for p in paired if len(p.recording.spoken) > FEW and len(p.recording.said) == len(p.recording.spoken)
        ]
        scheme, cohort = PUBLISHED
        yield from _delay_rows(sheet, name, delay, side, right, scheme=scheme, cohort=cohort)
    yield from _cuts(sheet, paired)
    timed = [_on_the_wall(p, wall[p.recording.name]) for p in paired if p.recording.name in wall]
    yield from _percentiles(sheet, "endpoint", _delays(timed, turns.end_delay, "ends"), ends=True)
    yield from _percentiles(sheet, "startpoint", _delays(timed, turns.start_delay, "starts"))


def _paired(talks: Talks) -> list[turns.Paired]:
    """Conversations with words, turns paired by the assignment of ORC."""
    given = talks.best.assignments
    return [turns.pair_up(r, given[r.name]) for r in talks.wordy if r.name in given]


def _on_the_wall(paired: turns.Paired, said: Sequence[SaidTurn]) -> turns.Paired:
    """The same pairs, with the times of ``said``: the same turns by another clock."""
    place = {id(turn): number for number, turn in enumerate(paired.recording.said)}
    pairs = tuple(replace(pair, said=said[place[id(pair.said)]]) for pair in paired.pairs)
    return replace(paired, pairs=pairs)


def _found(sheet: Sheet, paired: Sequence[turns.Paired]) -> Iterator[Measurement]:
    spoken = {p.recording.name: len(p.recording.spoken) for p in paired}
    if spoken:
        missed = {p.recording.name: p.n_missed for p in paired}
        spurious = {p.recording.name: p.n_spurious for p in paired}
        yield _ratio(sheet, "turn_miss_rate", missed, spoken, "turns")
        yield _ratio(sheet, "turn_spurious_rate", spurious, spoken, "turns")


def _cuts(sheet: Sheet, paired: Sequence[turns.Paired]) -> Iterator[Measurement]:
    """How many ends were told too early, and how many never."""
    delays = {p.recording.name: [turns.end_delay(pair) for pair in p.ends] for p in paired}
    asked = {name: len(found) for name, found in delays.items()}
    told = {name: sum(x is not None for x in found) for name, found in delays.items()}
    if not sum(told.values()):
        yield sheet.missing("early_cut_rate", "unsupported", _SILENT["ends"])
        return
    early = {name: sum(x is not None and x < 0 for x in found) for name, found in delays.items()}
    yield _ratio(sheet, "early_cut_rate", early, told, "turns")
    yield _ratio(sheet, "endpoint_miss_rate", {n: asked[n] - told[n] for n in asked}, asked, "turns")


_SILENT = {"ends": "the model said no end of a turn", "starts": "the model said no start of a turn"}


def _delays(paired: Sequence[turns.Paired], delay: Delay, side: str) -> dict[str, list[float | None]]:
    return {p.recording.name: [delay(pair) for pair in getattr(p, side)] for p in paired}


def _delay_rows(
    sheet: Sheet, name: str, delay: Delay, side: str, paired: Sequence[turns.Paired], **where: str
) -> Iterator[Measurement]:
    found = _delays(paired, delay, side)
    told, fields = _told(found, ends=delay is turns.end_delay)
    fields |= where
    if not any(told.values()):
        problem = _SILENT[side] if any(found.values()) else "no turn of these conversations can be asked for"
        yield sheet.missing(f"{name}_mean", "unsupported", problem, **where)
        return
    sums = {key: sum(ms) for key, ms in told.items() if ms}
    counts = {key: len(ms) for key, ms in told.items() if ms}
    interval = over_conversations(sheet, f"{name}_mean", sums, counts, where)
    yield sheet.row(f"{name}_mean", sum(sums.values()) / sum(counts.values()), interval=interval, **fields)
    yield from _percentiles(sheet, name, found, ends=delay is turns.end_delay, **where)


def _percentiles(
    sheet: Sheet, name: str, found: Mapping[str, Sequence[float | None]], *, ends: bool = False, **where: str
) -> Iterator[Measurement]:
    told, fields = _told(found, ends=ends)
    values = np.array([ms for part in told.values() for ms in part])
    groups = [key for key, part in told.items() for _ in part]
    for q in _PERCENTILES if len(values) else ():
        seed = sheet.seed(f"{name}_p{q}", *where.values())
        interval = percentile_bootstrap(values, groups, q, seed=seed)
        interval = replace(interval, method=f"{interval.method} over conversations")
        yield sheet.row(f"{name}_p{q}", percentile(values, q), interval=interval, **fields, **where)


def _told(found: Mapping[str, Sequence[float | None]], *, ends: bool) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Delays in ms by conversation, those of turns cut early left out; and how many turns they speak for."""
    kept = {key: [1000 * x for x in part if x is not None and (x >= 0 or not ends)] for key, part in found.items()}
    n, asked = sum(map(len, kept.values())), sum(map(len, found.values()))
    return kept, {"n": n, "n_unit": "turns", "coverage": n / asked if asked else None}


def _accuracy(sheet: Sheet, name: str, found: Mapping[str, int], **where: str) -> Measurement:
    right = {key: int(surplus == 0) for key, surplus in found.items()}
    return _ratio(sheet, name, right, dict.fromkeys(right, 1), "conversations", **where)


def _ratio(
    sheet: Sheet, name: str, amounts: Mapping[str, int], units: Mapping[str, int], unit: str,
    flags: Sequence[str] = (), **where: str,
) -> Measurement:  # fmt: skip
    """A row of the sum of amounts over the sum of units, by conversation."""
    total, whole = sum(amounts.values()), sum(units.values())
    fields: dict[str, Any] = {
        **where, "numerator": total, "denominator": whole, "n": whole if unit == "turns" else len(amounts),
        "n_unit": unit, "normalizer": sheet.normalizer, "flags": flags,
    }  # fmt: skip
    if not whole:
        return sheet.missing(name, "insufficient", "there is nothing to count", **fields)
    return sheet.row(name, total / whole, interval=over_conversations(sheet, name, amounts, units, where), **fields)
