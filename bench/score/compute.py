"""Scores what a cell cost: executed MACs, gates, parameters, memory; the first two by cohort where gaps are asked for,
gates and what they save by slice.

Whether conditional compute spends as much on those it serves worst shows beside their error rates. Only what streams
and embedders say of themselves is used, nothing timed, so a run that lends its output to another lends these too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.rows import Measurement
from earmark.bench.score.gates import score_gates
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.slices import Slices, places_of
from earmark.bench.score.spent import Spent
from earmark.bench.tables import read_table

NOT_COUNTED = "the model does not report its multiply-accumulates"


def score_compute(
    sheet: Sheet,
    folder: Path,
    utterances: Sequence[Mapping[str, Any]],
    schemes: Sequence[Scheme] = (),
    slices: Sequence[str] = (),
) -> Iterator[Measurement]:
    """Rows of a cell's compute, by cohort where there are schemes; ``utterances`` name ``audio_s`` and ``speaker``.

    What is gated and saved is told by the values of each column of ``slices`` too.
    """
    work = read_table(folder, "work").to_pylist()
    parts = {column: places_of(utterances, column) for column in slices}
    yield from _macs(sheet, folder, work, utterances, schemes)
    yield from score_gates(sheet, folder, utterances, schemes, parts)
    yield from _savings(sheet, folder, utterances, parts)
    facts = read_table(folder, "facts").to_pylist()
    for name in ("n_parameters", "peak_rss_mib"):
        values = [fact["value"] for fact in facts if fact["name"] == name]
        if values:
            yield sheet.row(name, values[-1])
        else:
            yield sheet.missing(name, "unsupported", f"the model does not say its {name}")


def _macs(
    sheet: Sheet,
    folder: Path,
    work: Sequence[Mapping[str, Any]],
    utterances: Sequence[Mapping[str, Any]],
    schemes: Sequence[Scheme],
) -> Iterator[Measurement]:
    done: dict[str, float] = {}
    for row in work:
        done[row["utterance_id"]] = done.get(row["utterance_id"], 0.0) + row["macs"]
    counted = [row for row in utterances if row["utterance_id"] in done]
    seconds = sum(row["audio_s"] for row in sorted(counted, key=lambda row: row["utterance_id"]))
    if not seconds:
        for name in ("macs_per_audio_second", "flops_per_audio_second"):
            yield sheet.missing(name, "unsupported", NOT_COUNTED)
        return
    macs = float(sum(row["macs"] for row in work))
    flags = _uncounted(folder)
    for name, per_mac in (("macs_per_audio_second", 1.0), ("flops_per_audio_second", 2.0)):
        yield sheet.row(
            name, per_mac * macs / seconds, numerator=per_mac * macs, denominator=seconds,
            n=len(counted), n_unit="utterances", flags=flags,
        )  # fmt: skip
    spent = Spent(
        [done[row["utterance_id"]] for row in counted], [row["audio_s"] for row in counted],
        [row["speaker"] for row in counted],
    )  # fmt: skip
    for scheme in schemes:
        yield from spent.cohort_rows(sheet, "macs_per_audio_second", scheme, flags)


def _savings(
    sheet: Sheet, folder: Path, utterances: Sequence[Mapping[str, Any]], slices: Slices
) -> Iterator[Measurement]:
    """Compute cost reduction, of models that leave work out: of the parts that have a dense bound."""
    sums: dict[str, tuple[float, float]] = {}
    for row in read_table(folder, "work").to_pylist():
        if row["dense_macs"] is not None:
            spent, dense = sums.get(row["utterance_id"], (0.0, 0.0))
            sums[row["utterance_id"]] = (spent + row["macs"], dense + row["dense_macs"])
    flags = _uncounted(folder)
    yield from _saved(sheet, list(sums.values()), flags)
    for column, values in slices.items():
        for value, places in sorted(values.items()):
            names = [utterances[place]["utterance_id"] for place in places]
            yield from _saved(sheet, [sums[name] for name in names if name in sums], flags, (column, value))


def _saved(
    sheet: Sheet, sums: Sequence[tuple[float, float]], flags: Sequence[str], where: tuple[str, str] = ("all", "all")
) -> Iterator[Measurement]:
    """One row, from what was spent on each recording and would have been; none where nothing would have been."""
    spent, dense = (sum(column) for column in zip(*sums, strict=True)) if sums else (0.0, 0.0)
    if dense:
        yield sheet.row(
            "ccr", 1.0 - spent / dense, numerator=float(dense - spent), denominator=float(dense), n=len(sums),
            n_unit="utterances", flags=flags, scheme=where[0], cohort=where[1],
        )  # fmt: skip


def _uncounted(folder: Path) -> list[str]:
    """Operations that ran and that no formula covers: they are named beside the figure, never taken as zero."""
    notes = [row["note"] for row in read_table(folder, "facts").to_pylist() if row["name"] == "uncounted_ops"]
    return sorted({f"uncounted:{name}" for note in notes for name in note.split()})
