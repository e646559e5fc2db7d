"""Scores what a cell cost: executed MACs, parameters, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table

NOT_COUNTED = "the model does not report its multiply-accumulates"


def score_compute(sheet: Sheet, folder: Path, audio_s: Mapping[str, float]) -> Iterator[Measurement]:
    """Rows of a cell's compute; ``audio_s`` is the audio of each recording."""
    yield from _macs(sheet, folder, audio_s)
    yield from _savings(sheet, folder)
    facts = read_table(folder, "facts").to_pylist()
    for name in ("n_parameters", "peak_rss_mib"):
        values = [fact["value"] for fact in facts if fact["name"] == name]
        if values:
            yield sheet.row(name, values[-1])
        else:
            yield sheet.missing(name, "unsupported", f"the model does not say its {name}")


def _macs(sheet: Sheet, folder: Path, audio_s: Mapping[str, float]) -> Iterator[Measurement]:
    work = read_table(folder, "work").to_pylist()
    counted = {row["utterance_id"] for row in work}
    seconds = sum(audio_s[name] for name in sorted(counted))
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


def _savings(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Compute cost reduction, of models that leave work out: of the parts that have a dense bound."""
    work = [row for row in read_table(folder, "work").to_pylist() if row["dense_macs"] is not None]
    dense = sum(row["dense_macs"] for row in work)
    if dense:
        spent, n = sum(row["macs"] for row in work), len({row["utterance_id"] for row in work})
        yield sheet.row(
            "ccr", 1.0 - spent / dense, numerator=float(dense - spent), denominator=float(dense), n=n,
            n_unit="utterances", flags=_uncounted(folder),
        )  # fmt: skip


def _uncounted(folder: Path) -> list[str]:
    """Operations that ran and that no formula covers: they are named beside the figure, never taken as zero."""
    notes = [row["note"] for row in read_table(folder, "facts").to_pylist() if row["name"] == "uncounted_ops"]
    return sorted({f"uncounted:{name}" for note in notes for name in note.split()})
