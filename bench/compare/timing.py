"""How fast two cells were on the same recordings, and by how much a machine differs from itself.

The value of a timing is that of each chunk's median over the passes, as in the tables. The same figure from one pass
alone, for every pass, says how far the machine is from repeating itself: the largest difference between two passes of
one run is the noise, and a change below it says nothing. Words are those that both sides got right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earmark.bench.api import InputError
from earmark.bench.compare.changes import Change
from earmark.bench.compare.reading import columns
from earmark.bench.metrics import latency
from earmark.bench.metrics.resampling import Floats, percentile_interval, speaker_draws
from earmark.bench.rows import Cell
from earmark.bench.score.measure import Sheet
from earmark.bench.score.timed import Timed, timed_recordings
from earmark.bench.tables import SCHEMAS

N_REPLICATES = 300
ONE_PASS = "one pass: nothing tells how large the noise is"
Recordings: TypeAlias = Mapping[str, Timed]
Words: TypeAlias = Mapping[str, frozenset[int]]


def streaming_changes(
    cells: tuple[Cell, Cell],
    folders: tuple[Path, Path],
    normalizer: str,
    common: dict[str, Any],
    level: float,
    metrics: Sequence[str] = (),
) -> Iterator[Change]:
    """Changes of every timing of streams, or of these; none where nothing was timed."""
    sides = [Passes.read(cell, folder, normalizer) for cell, folder in zip(cells, folders, strict=True)]
    yield from changes_between(sides, common, level, metrics)


def changes_between(
    sides: Sequence[Passes], common: dict[str, Any], level: float, metrics: Sequence[str] = ()
) -> Iterator[Change]:
    """The same of two sides that have been read; raises InputError unless their timed recordings are the same."""
    names = sorted(set(sides[0].typical) & set(sides[1].typical))
    if not names:
        return
    if set(sides[0].typical) != set(sides[1].typical):
        raise InputError(
            "the timed recordings are not the same", where="compare", fix="give both timing_recordings alike"
        )
    words = {name: _both_right(*(side.typical[name] for side in sides)) for name in names}
    for metric in metrics or FIGURES:
        yield _change(metric, FIGURES[metric], sides, names, words, common, level)


def embedding_changes(folders: tuple[Path, Path], common: dict[str, Any], level: float) -> Iterator[Change]:
    """The change of a speaker embedder's real-time factor; none where nothing was timed."""
    services = [_services(folder) for folder in folders]
    names = sorted(set(services[0]) & set(services[1]))
    if not names:
        return
    spent = [[services[side][name][0] for name in names] for side in (0, 1)]
    audio = np.array([services[0][name][1] for name in names])
    typical = [np.array([float(np.median(one)) for one in side]) for side in spent]
    n_passes = min(len(one) for side in spent for one in side)
    noise = _noise([[sum(one[p] for one in side) / audio.sum() for p in range(n_passes)] for side in spent])
    draws = next(speaker_draws(np.random.default_rng(0), len(names), N_REPLICATES))
    drawn = (draws @ (typical[1] - typical[0])) / (draws @ audio)
    before, after = (float(side.sum() / audio.sum()) for side in typical)
    yield _row("rtf_offline", before, after, noise, drawn, level, len(names), common)


@dataclass(frozen=True, slots=True)
class Passes:
    """A cell's timed recordings by id: with each chunk's median, and as every pass alone measured them."""

    typical: Recordings
    each: tuple[Recordings, ...]

    @classmethod
    def read(cls, cell: Cell, folder: Path, normalizer: str) -> Passes:
        chunks = columns(folder, "chunks", SCHEMAS["chunks"].names, pc.field("timed"))
        names = pc.unique(chunks["utterance_id"])
        tables = [
            columns(folder, name, SCHEMAS[name].names, pc.field("utterance_id").isin(names))
            for name in ("utterances", "tokens", "reference_words")
        ]

        def timed(some: pa.Table) -> Recordings:
            return {one.utterance_id: one for one in timed_recordings(Sheet(cell, normalizer), some, *tables)}

        passes = sorted(pc.unique(chunks["pass"]).to_pylist())
        return cls(timed(chunks), tuple(timed(_alone(chunks, number)) for number in passes))


def _alone(chunks: pa.Table, number: int) -> pa.Table:
    """One pass as if it had been the only one."""
    mine = chunks.filter(pc.equal(chunks["pass"], number))
    place = mine.schema.get_field_index("pass")
    return mine.set_column(place, "pass", pa.array([0] * len(mine), type=pa.int64()))


def _both_right(one: Timed, other: Timed) -> frozenset[int]:
    return frozenset(one.places) & frozenset(other.places)


# --- figures ------------------------------------------------------------------------------------------------------


def _rtf(found: Sequence[Timed], _words: Words) -> float:
    return sum(float(t.service_s.sum()) for t in found) / sum(t.audio_s for t in found)


def _chunk(q: float) -> Figure:
    return lambda found, _words: latency.percentile(1000 * np.concatenate([t.service_s for t in found]), q)


def _first_token(found: Sequence[Timed], _words: Words) -> float:
    placed = [t for t in found if t.has_times]
    return latency.percentile(latency.first_token([t.times for t in placed or found]), 50)


def _finalize(found: Sequence[Timed], _words: Words) -> float:
    return latency.percentile(latency.finalize([t.times for t in found]), 50)


def _word_delay(q: float, delays: Callable[[Sequence[latency.Emission]], Sequence[float]]) -> Figure:
    def figure(found: Sequence[Timed], words: Words) -> float:
        both = [w for t in found for p, w in zip(t.places, t.words, strict=True) if p in words[t.utterance_id]]
        return latency.percentile(np.array(delays(both)), q) if both else math.nan

    return figure


Figure: TypeAlias = Callable[[Sequence[Timed], Words], float]
FIGURES: Mapping[str, Figure] = {
    "rtf_streaming": _rtf,
    "compute_chunk_p50": _chunk(50),
    "compute_chunk_p95": _chunk(95),
    "first_token_p50": _first_token,
    "finalize_p50": _finalize,
    "upl_final_p50": _word_delay(50, latency.upl_final),
    "upl_final_p95": _word_delay(95, latency.upl_final),
    "upl_first_p50": _word_delay(50, latency.upl_first),
}
"""Timings that are compared, and how each follows from recordings."""
CHUNKS = ("rtf_streaming", "compute_chunk_p50", "compute_chunk_p95", "finalize_p50")
"""Those that need no words."""


def _change(
    metric: str,
    figure: Figure,
    sides: Sequence[Passes],
    names: Sequence[str],
    words: Words,
    common: dict[str, Any],
    level: float,
) -> Change:
    before, after = (figure([side.typical[name] for name in names], words) for side in sides)
    if not (math.isfinite(before) and math.isfinite(after)):
        why = "some outputs never came" if math.isinf(before + after) else "no word that both got right has a time"
        return Change(**common, metric=metric, before=None, after=None, reason=why)
    each = [[figure([one[name] for name in names], words) for one in side.each] for side in sides]
    drawn = []
    for draw in next(speaker_draws(np.random.default_rng(0), len(names), N_REPLICATES)):
        picked = [name for name, times in zip(names, draw.astype(int).tolist(), strict=True) for _ in range(times)]
        one, other = (figure([side.typical[name] for name in picked], words) for side in sides)
        drawn.append(other - one)
    return _row(metric, before, after, _noise(each), np.array(drawn), level, len(names), common)


def _row(
    metric: str, before: float, after: float, noise: float | None, drawn: Floats, level: float, n: int,
    common: dict[str, Any],
) -> Change:  # fmt: skip
    interval = percentile_interval(drawn, level)
    return Change(
        **common, metric=metric, before=before, after=after, ci_low=interval.low, ci_high=interval.high,
        ci_level=level, ci_method="paired percentile over recordings", noise=noise, n=n, n_unit="streams",
        reason=ONE_PASS if noise is None else None,
    )  # fmt: skip


def _noise(by_pass: Sequence[Sequence[float]]) -> float | None:
    """The largest difference between two passes of one side; None where both have a single pass."""
    found = [abs(one - other) for side in by_pass for one, other in combinations(side, 2)]
    return max(found) if found else None


def _services(folder: Path) -> dict[str, tuple[list[float], float]]:
    """By recording, service time of each pass and the length of the audio, in seconds."""
    found: dict[str, tuple[list[float], float]] = {}
    wanted = ["utterance_id", "pass", "service_s", "due_s"]
    for row in columns(folder, "chunks", [*wanted, "timed"], pc.field("timed")).to_pylist():
        found.setdefault(row["utterance_id"], ([], row["due_s"]))[0].append(row["service_s"])
    return found
