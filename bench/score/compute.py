"""Scores what a cell cost: executed MACs, gates, parameters, memory; the first two by cohort where gaps are asked for.

Whether conditional compute spends as much on those it serves worst shows beside their error rates. Only what streams
and embedders say of themselves is used, nothing timed, so a run that lends its output to another lends these too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.bench.metrics.cohorts import CohortRate, cohort_gap, cohort_rates
from earmark.bench.metrics.gaps import gap_names
from earmark.bench.metrics.statistics import per_speaker
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.words import among, gap_rows, too_small
from earmark.bench.tables import read_table

NOT_COUNTED = "the model does not report its multiply-accumulates"
GATES = "gate_rate"
"""Probes of this name, or of one that begins with it and an underscore, are shares of gated work that was done."""
LEVELS = ("loud", "quiet")
"""Probes ``<level>_frames`` count frames of a recording, ``<level>_rate_<kind>`` are shares of gates over them."""


def score_compute(
    sheet: Sheet, folder: Path, utterances: Sequence[Mapping[str, Any]], schemes: Sequence[Scheme] = ()
) -> Iterator[Measurement]:
    """Rows of a cell's compute, by cohort where there are schemes; ``utterances`` name ``audio_s`` and ``speaker``."""
    work = read_table(folder, "work").to_pylist()
    yield from _macs(sheet, folder, work, utterances, schemes)
    yield from _gates(sheet, folder, utterances, schemes)
    yield from _savings(sheet, folder)
    facts = read_table(folder, "facts").to_pylist()
    for name in ("n_parameters", "peak_rss_mib"):
        values = [fact["value"] for fact in facts if fact["name"] == name]
        if values:
            yield sheet.row(name, values[-1])
        else:
            yield sheet.missing(name, "unsupported", f"the model does not say its {name}")


@dataclass(frozen=True, slots=True)
class _Spent:
    """Something spent on each recording (N,) and what it is divided by, with the recordings' speakers."""

    amounts: Sequence[float]
    units: Sequence[float]
    speakers: Sequence[str | None]

    def cohort_rows(self, sheet: Sheet, name: str, scheme: Scheme, flags: Sequence[str] = ()) -> Iterator[Measurement]:
        """The rate of each cohort and the gaps between cohorts; none where no recording has a cohort."""
        rows = [row for row in zip(self.speakers, self.amounts, self.units, strict=True) if row[0]]
        known = among(per_speaker(*zip(*rows, strict=True)), scheme.cohort_of) if rows else None
        if known is None or not known.speakers:
            return
        labels, seed = [scheme.cohort_of[speaker] for speaker in known.speakers], sheet.seed(name, scheme.name)
        for cohort in cohort_rates(known, labels, counted=False, seed=seed):
            yield _cohort_row(sheet, name, scheme, cohort, flags)
        gap = cohort_gap(known, labels, counted=False, seed=seed)
        yield from gap_rows(sheet, scheme, gap.named(name), gap_names(name), normalizer=None)


def _cohort_row(sheet: Sheet, name: str, scheme: Scheme, cohort: CohortRate, flags: Sequence[str]) -> Measurement:
    fields: dict[str, Any] = {
        "scheme": scheme.name, "cohort": cohort.name, "numerator": cohort.errors, "denominator": cohort.units,
        "n": cohort.n_utterances, "n_unit": "utterances", "n_speakers": cohort.n_speakers, "coverage": scheme.coverage,
        "flags": flags,
    }  # fmt: skip
    if cohort.rate is None:
        return sheet.missing(name, "insufficient", "no audio", **fields)
    status = {"status": cohort.status, "reason": too_small(cohort.status, "10 speakers")}
    return sheet.row(name, cohort.rate, interval=cohort.interval, **status, **fields)


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
    spent = _Spent(
        [done[row["utterance_id"]] for row in counted], [row["audio_s"] for row in counted],
        [row["speaker"] for row in counted],
    )  # fmt: skip
    for scheme in schemes:
        yield from spent.cohort_rows(sheet, "macs_per_audio_second", scheme, flags)


def _gates(
    sheet: Sheet, folder: Path, utterances: Sequence[Mapping[str, Any]], schemes: Sequence[Scheme]
) -> Iterator[Measurement]:
    """The mean rate of a model's gates, each recording counting by its chunks; nothing for a model without gates."""
    probes: dict[str, dict[str, float]] = {}
    for row in read_table(folder, "probes").to_pylist():
        probes.setdefault(row["utterance_id"], {})[row["name"]] = row["value"]
    found = {
        name: {k: v for k, v in own.items() if k == GATES or k.startswith(f"{GATES}_")} for name, own in probes.items()
    }
    rates = {name: [*own.values()] for name, own in found.items() if own}
    gated = [row for row in utterances if row["utterance_id"] in rates]
    if not gated:
        return
    n_chunks = [float(_n_chunks(row["audio_s"], sheet.cell.chunk_ms)) for row in gated]
    means = [sum(found) / len(found) for found in (rates[row["utterance_id"]] for row in gated)]
    spent = _Spent(
        [mean * n for mean, n in zip(means, n_chunks, strict=True)], n_chunks, [row["speaker"] for row in gated]
    )
    yield sheet.row(
        GATES, sum(spent.amounts) / sum(n_chunks), numerator=sum(spent.amounts), denominator=sum(n_chunks),
        n=len(gated), n_unit="utterances",
    )  # fmt: skip
    for scheme in schemes:
        yield from spent.cohort_rows(sheet, GATES, scheme)
    weights = {row["utterance_id"]: n for row, n in zip(gated, n_chunks, strict=True)}
    yield from _each_gate(sheet, {name: found[name] for name in weights}, weights)
    yield from _by_level(sheet, [probes[name] for name in weights])


def _each_gate(
    sheet: Sheet, found: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
) -> Iterator[Measurement]:
    """The rate of each gate that has a name of its own, such as that of the queries of a block: scheme ``gate``."""
    names = sorted({name for own in found.values() for name in own} - {GATES})
    for name in names:
        rows = [(own[name], weights[utterance]) for utterance, own in found.items() if name in own]
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


def _n_chunks(audio_s: float, chunk_ms: int | None) -> int:
    """Chunks that a recording was given in, from its length; 1 where it was given whole."""
    return max(1, math.ceil(1000 * audio_s / chunk_ms - 1e-6)) if chunk_ms else 1


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
