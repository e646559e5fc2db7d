"""Whether the scores follow from the observations, and whether such numbers can be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from earmark.bench.provenance import scoring_digest
from earmark.bench.rows import Cell, Measurement
from earmark.bench.validate.stored import Problem, Stored

RELATIVE = 1e-9
FIGURES = (
    "value", "unit", "better", "numerator", "denominator", "n", "n_unit", "n_speakers", "normalizer", "status",
)  # fmt: skip
"""Fields of a row that no later version of the scorer may change."""
MOST_SHOWN = 5
"""Problems of one cell that are told one by one."""
CLOCK_HZ = 6e9
MACS_PER_CYCLE = {"fp32": 32, "bf16": 1024, "fp16": 1024, "int8": 2048}
"""Multiply-accumulates that a core could do in a cycle at the very most: two 512-bit units, or a matrix unit."""
DEVICE_MACS = 5e15
"""Multiply-accumulates a second of the fastest single accelerator, generously."""
_RATES = ("wer", "cer", "wer_offline", "orc_wer", "rtf_streaming", "rtf_offline", "macs_per_audio_second", "gate_rate")
_Key = tuple[str, str, str]


def scores(stored: Stored) -> Iterator[Problem]:
    """Every score is computed again from the observations and is what the table says, to within 1e-9.

    Of a run that another version of the scorer scored, values and counts must be the same; see :func:`otherwise`.
    """
    fields = None if up_to_date(stored) else FIGURES
    for cell, rows, again in _pairs(stored):
        if isinstance(again, str):
            yield Problem("scores", f"cell {cell.cell}", again)
        else:
            yield from _limited(cell, list(_compared(rows, again, fields)))


def otherwise(stored: Stored) -> Iterator[str]:
    """What another version of the scorer said otherwise about the same figures, such as intervals and flags."""
    if up_to_date(stored):
        return
    for cell, rows, again in _pairs(stored):
        if not isinstance(again, str):
            both = [(rows[key].model_dump(), again[key].model_dump()) for key in rows.keys() & again.keys()]
            differing = [{f for f in a if f not in FIGURES and not _same(a[f], b[f])} for a, b in both]
            n, names = sum(map(bool, differing)), sorted(set().union(*differing))
            if n:
                yield f"cell {cell.cell}: another version scored it, with other {', '.join(names)} in {n} rows"


def up_to_date(stored: Stored) -> bool:
    """Whether this version scored the run."""
    return stored.run.scored_by == scoring_digest()


def _pairs(stored: Stored) -> Iterator[tuple[Cell, dict[_Key, Measurement], dict[_Key, Measurement] | str]]:
    """Each cell's rows, and those that its observations give, of kinds that the run has; or why there are none."""
    rows: dict[str, dict[_Key, Measurement]] = defaultdict(dict)
    for row in stored.measurements:
        rows[row.cell][row.scheme, row.cohort, row.metric] = row
    known = set(map(_kind, stored.measurements))
    for cell in stored.cells:
        again = stored.scored_again.get(cell.cell)
        if isinstance(again, str):
            yield cell, rows[cell.cell], again
        elif again is not None:
            found = {(row.scheme, row.cohort, row.metric): row for row in again if _kind(row) in known}
            yield cell, rows[cell.cell], found


def newer(stored: Stored) -> set[str]:
    """Kinds of rows that this version scores and the whole run has none of: it was scored before there were any."""
    again = [rows for rows in stored.scored_again.values() if not isinstance(rows, str)]
    return {_kind(row) for rows in again for row in rows} - set(map(_kind, stored.measurements))


def _kind(row: Measurement) -> str:
    """A metric, and whether it is over everybody, by cohort or across cohorts."""
    if row.cohort == "*":
        return f"{row.metric} across cohorts"
    return row.metric if row.scheme == "all" else f"{row.metric} by cohort"


def _limited(cell: Cell, told: list[str]) -> Iterator[Problem]:
    for text in told[:MOST_SHOWN]:
        yield Problem("scores", f"cell {cell.cell}", text)
    if len(told) > MOST_SHOWN:
        yield Problem("scores", f"cell {cell.cell}", f"... and {len(told) - MOST_SHOWN} more")


def _compared(
    rows: Mapping[_Key, Measurement], again: Mapping[_Key, Measurement], fields: Collection[str] | None
) -> Iterator[str]:
    for key in sorted(rows.keys() | again.keys()):
        name = " ".join((key[2], *(() if key[:2] == ("all", "all") else (f"of {key[0]}={key[1]}",))))
        if key not in again:
            yield f"{name}: the observations give no such row"
        elif key not in rows:
            yield f"{name}: the row is missing"
        else:
            stored, found = rows[key].model_dump(), again[key].model_dump()
            yield from (
                f"{name}: {field} is {stored[field]}, the observations give {found[field]}"
                for field in fields or stored
                if not _same(stored[field], found[field])
            )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=1e-12)
    return bool(one == other)


# --- plausibility -------------------------------------------------------------------------------------------------


def plausibility(stored: Stored) -> Iterator[Problem]:
    """Rates are their counts, speed fits into the clock and into the run, intervals have two sides."""
    for row in stored.measurements:
        yield from _row(row)
    overall = {(row.cell, row.metric): row for row in stored.measurements if (row.scheme, row.cohort) == ("all", "all")}
    for cell in stored.cells:
        yield from _errors(cell, overall)
        yield from _speed(cell, overall)
    yield from _duration(stored)


def _row(row: Measurement) -> Iterator[Problem]:
    where = f"cell {row.cell}, {row.metric} of {row.scheme}={row.cohort}"
    if row.metric in _RATES and None not in (row.value, row.numerator, row.denominator):
        rate = (row.numerator or 0.0) / (row.denominator or 1.0)
        if not math.isclose(row.value or 0.0, rate, rel_tol=RELATIVE, abs_tol=1e-12):
            told = f"{row.value} is not {row.numerator} / {row.denominator}"
            yield Problem("plausibility", where, told)
    if row.ci_low is not None and row.ci_high is not None and row.ci_low > row.ci_high:
        yield Problem("plausibility", where, f"an interval from {row.ci_low} to {row.ci_high}")


def _errors(cell: Cell, overall: Mapping[tuple[str, str], Measurement]) -> Iterator[Problem]:
    kinds = [overall.get((cell.cell, f"word_{kind}_rate")) for kind in ("substitution", "deletion", "insertion")]
    wer = overall.get((cell.cell, "wer"))
    if wer is not None and wer.numerator is not None and all(row is not None for row in kinds):
        parts = sum(row.numerator or 0.0 for row in kinds if row is not None)
        if parts != wer.numerator:
            told = f"{wer.numerator:.0f} word errors, substitutions, deletions and insertions are {parts:.0f}"
            yield Problem("plausibility", f"cell {cell.cell}", told)


def _speed(cell: Cell, overall: Mapping[tuple[str, str], Measurement]) -> Iterator[Problem]:
    """Executed MACs per second of audio over the real-time factor: MACs that the machine did in a second."""
    macs = overall.get((cell.cell, "macs_per_audio_second"))
    names = ("rtf_streaming", "rtf_offline")
    factors = [row for name in names if (row := overall.get((cell.cell, name))) is not None and row.value]
    if macs is None or macs.value is None:
        return
    limit = CLOCK_HZ * MACS_PER_CYCLE.get(cell.precision, 2048) * cell.threads
    limit = limit if cell.device == "cpu" else DEVICE_MACS
    for factor in factors:
        rate = macs.value / (factor.value or 1.0)
        if rate > limit:
            told = (
                f"{factor.metric} {factor.value:.3g} means {rate:.3g} MAC/s, over {limit:.3g} on {cell.threads} threads"
            )
            yield Problem("plausibility", f"cell {cell.cell}", told)


def _duration(stored: Stored) -> Iterator[Problem]:
    """All the time spent inside models fits between the run's start and its end."""
    run = stored.run
    if run.finished_at is None:
        return
    took = (datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)).total_seconds()
    spent = sum(pc.sum(stored.table(cell.cell, "chunks")["service_s"]).as_py() or 0.0 for cell in stored.heard)
    if spent > took + 1:
        yield Problem("plausibility", "run.json", f"{spent:.0f} s inside models in a run of {took:.0f} s")
