"""Scores gates, which decide what of a model is computed: over all recordings, by cohort and by slice, part by part,
and where it is loud and quiet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.slices import Slices
from earmark.bench.score.spent import Spent
from earmark.bench.tables import read_table

GATES = "gate_rate"
"""Probes of this name, or of one that begins with it and an underscore, are shares of gated work that was done."""
LEVELS = ("loud", "quiet")
"""Probes ``<level>_frames`` count frames of a recording, ``<level>_rate_<kind>`` are shares of gates over them."""
_PART = re.compile(rf"{GATES}_(?P<kind>.+?)(_\d+)*")


@dataclass(frozen=True, slots=True)
class _Gated:
    """A recording of a model with gates: its place among the utterances, its chunks, and all of its probes."""

    place: int
    speaker: str | None
    n_chunks: float
    probes: Mapping[str, float]

    @property
    def rates(self) -> dict[str, float]:
        return {name: on for name, on in self.probes.items() if name == GATES or name.startswith(f"{GATES}_")}


def score_gates(
    sheet: Sheet,
    folder: Path,
    utterances: Sequence[Mapping[str, Any]],
    schemes: Sequence[Scheme] = (),
    slices: Slices | None = None,
) -> Iterator[Measurement]:
    """The mean rate of a model's gates, each recording counting by its chunks; nothing for a model without gates."""
    gated = _gated(sheet, folder, utterances)
    if not gated:
        return
    overall = _spent(gated)
    yield sheet.row(
        GATES, sum(overall.amounts) / sum(overall.units), numerator=sum(overall.amounts),
        denominator=sum(overall.units), n=len(gated), n_unit="utterances",
    )  # fmt: skip
    for scheme in schemes:
        yield from overall.cohort_rows(sheet, GATES, scheme)
    for column, values in (slices or {}).items():
        for value, places in sorted(values.items()):
            yield from _slice(sheet, [own for own in gated if own.place in set(places)], column, value)
    yield from _each_gate(sheet, gated)
    yield from _by_level(sheet, [own.probes for own in gated])


def _gated(sheet: Sheet, folder: Path, utterances: Sequence[Mapping[str, Any]]) -> list[_Gated]:
    probes: dict[str, dict[str, float]] = {}
    for row in read_table(folder, "probes").to_pylist():
        probes.setdefault(row["utterance_id"], {})[row["name"]] = row["value"]
    found = [
        _Gated(
            place, row["speaker"], float(_n_chunks(row["audio_s"], sheet.cell.chunk_ms)),
            probes.get(row["utterance_id"], {}),
        )
        for place, row in enumerate(utterances)
    ]  # fmt: skip
    return [own for own in found if own.rates]


def _n_chunks(audio_s: float, chunk_ms: int | None) -> int:
    """Chunks that a recording was given in, from its length; 1 where it was given whole."""
    return max(1, math.ceil(1000 * audio_s / chunk_ms - 1e-6)) if chunk_ms else 1


def _spent(gated: Sequence[_Gated], kind: str | None = None) -> Spent:
    """Chunks times the mean rate of the gates (of a kind), of chunks."""
    means = [fmean(on for name, on in own.rates.items() if kind in (None, _kind(name))) for own in gated]
    n_chunks = [own.n_chunks for own in gated]
    amounts = [mean * n for mean, n in zip(means, n_chunks, strict=True)]
    return Spent(amounts, n_chunks, [own.speaker for own in gated])


def _slice(sheet: Sheet, gated: Sequence[_Gated], column: str, value: str) -> Iterator[Measurement]:
    """Of some recordings the rate of all gates, and of each kind: cohorts ``noisy`` and ``noisy query``."""
    if not gated:
        return
    yield _spent(gated).row(sheet, GATES, scheme=column, cohort=value)
    for kind in sorted({_kind(name) for own in gated for name in own.rates} - {None}, key=str):
        having = [own for own in gated if any(_kind(name) == kind for name in own.rates)]
        yield _spent(having, kind).row(sheet, GATES, scheme=column, cohort=f"{value} {kind}")


def _kind(name: str) -> str | None:
    """``query`` of ``gate_rate_query_0``; None where a model tells one rate for all."""
    part = _PART.fullmatch(name)
    return part["kind"] if part else None


def _each_gate(sheet: Sheet, gated: Sequence[_Gated]) -> Iterator[Measurement]:
    """The rate of each gate that has a name of its own, such as that of the queries of a block: scheme ``gate``."""
    for name in sorted({name for own in gated for name in own.rates} - {GATES}):
        rows = [(own.rates[name], own.n_chunks) for own in gated if name in own.rates]
        on, n = sum(rate * weight for rate, weight in rows), sum(weight for _, weight in rows)
        yield sheet.row(
            GATES, on / n, numerator=on, denominator=n, n=len(rows), n_unit="utterances", scheme="gate",
            cohort=name.removeprefix(f"{GATES}_"),
        )  # fmt: skip


def _by_level(sheet: Sheet, probes: Sequence[Mapping[str, float]]) -> Iterator[Measurement]:
    """The rates of gates by kind over loud and over quiet frames of all recordings: scheme ``level``."""
    for level in LEVELS:
        kinds = sorted({name for own in probes for name in own if name.startswith(f"{level}_rate_")})
        heard = [own for own in probes if own.get(f"{level}_frames")]
        n = sum(own[f"{level}_frames"] for own in heard)
        for name in kinds if n else ():
            on = sum(own[name] * own[f"{level}_frames"] for own in heard)
            yield sheet.row(
                GATES, on / n, numerator=on, denominator=n, n=len(heard), n_unit="utterances", scheme="level",
                cohort=f"{level} {name.removeprefix(f'{level}_rate_')}",
            )  # fmt: skip
