"""Scores a speaker embedder's trials: EER and its companions, by cohort, with the gaps between cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.metrics import verification
from earmark.bench.metrics.cohorts import EER_GAPS, CohortEer, eer_cohorts
from earmark.bench.metrics.statistics import percentile_interval, speaker_bootstrap
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.words import gap_rows, no_scheme, too_small
from earmark.bench.tables import read_table

N_REPLICATES = 500


@dataclass(frozen=True, slots=True)
class Trials:
    """A cell's trials as columns, and remarks on how they were paired."""

    scores: np.ndarray[Any, np.dtype[np.float64]]
    is_target: np.ndarray[Any, np.dtype[np.bool_]]
    enroll_speaker: list[str]
    test_speaker: list[str]
    remarks: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Trials:
        table = read_table(folder, "trials")
        relations = sorted({(r["pairing"], r["text_relation"]) for r in table.select(_RELATIONS).to_pylist()})
        remarks = [f"{pairing}, {text} text".replace(" ", "_") for pairing, text in relations]
        return cls(
            np.asarray(table["score"]),
            np.asarray(table["target"]).astype(bool),
            table["enroll_speaker"].to_pylist(),
            table["test_speaker"].to_pylist(),
            tuple(f"trials:{remark}" for remark in remarks),
        )

    @property
    def speakers(self) -> set[str]:
        return {*self.enroll_speaker, *self.test_speaker}

    def within(self, speakers: Mapping[str, str]) -> Trials:
        """The trials both of whose speakers are among those given."""
        pairs = zip(self.enroll_speaker, self.test_speaker, strict=True)
        at = [place for place, (a, b) in enumerate(pairs) if a in speakers and b in speakers]
        return Trials(
            self.scores[at], self.is_target[at], [self.enroll_speaker[i] for i in at],
            [self.test_speaker[i] for i in at], self.remarks,
        )  # fmt: skip

    @property
    def both_sides(self) -> bool:
        return bool(self.is_target.any() and not self.is_target.all())


_RELATIONS = ["pairing", "text_relation"]


def score_voices(sheet: Sheet, folder: Path, schemes: Sequence[Scheme], *, gaps: bool) -> Iterator[Measurement]:
    """Rows of a cell's verification errors: overall, by cohort, and across cohorts."""
    trials = Trials.read(folder)
    if not trials.both_sides:
        yield sheet.missing("eer", "insufficient", "the list needs target and non-target trials")
        yield sheet.missing("eer_gap_rel", "insufficient", "there is no error rate to compare", cohort="*")
        return
    targets, others = trials.scores[trials.is_target], trials.scores[~trials.is_target]
    drawn = verification.eer_bootstrap(
        trials.scores, trials.is_target, trials.enroll_speaker, trials.test_speaker,
        n_replicates=N_REPLICATES, seed=sheet.seed("eer"),
    )  # fmt: skip
    eer = verification.equal_error_rate(targets, others)
    reversed_scores = ["scores_reversed"] if eer > 0.5 else []
    fields: dict[str, Any] = {
        "n": len(trials.scores),
        "n_unit": "trials",
        "n_speakers": len(trials.speakers),
        "flags": [*trials.remarks, *reversed_scores, f"targets:{len(targets)}"],
    }
    yield sheet.row("eer", eer, interval=percentile_interval(drawn, 0.95), **fields)
    yield sheet.row("eer_hull", verification.equal_error_rate_hull(targets, others), **fields)
    for name, prior in (("min_dcf_p01", 0.01), ("min_dcf_p05", 0.05)):
        yield sheet.row(name, verification.min_dcf(targets, others, prior), **fields)
    if gaps and not schemes:
        yield sheet.missing("eer_gap_rel", "unsupported", no_scheme(trials.speakers), cohort="*")
    for scheme in schemes if gaps else ():
        yield from _cohort_rows(sheet, trials, scheme)


def score_embedding_time(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """The real-time factor of embedding one recording at a time, each at its median over the passes."""
    chunks = read_table(folder, "chunks")
    services: dict[str, list[float]] = {}
    audio: dict[str, float] = {}
    for row in chunks.filter(chunks["timed"]).to_pylist():
        services.setdefault(row["utterance_id"], []).append(row["service_s"])
        audio[row["utterance_id"]] = row["due_s"]
    timed = sorted(services)
    spent, heard = [float(np.median(services[name])) for name in timed], [audio[name] for name in timed]
    if timed:
        interval = speaker_bootstrap(spent, heard, seed=sheet.seed("rtf_offline"), method="percentile")
        yield sheet.row(
            "rtf_offline", sum(spent) / sum(heard), interval=interval, numerator=sum(spent), denominator=sum(heard),
            n=len(timed), n_unit="utterances",
        )  # fmt: skip


def _cohort_rows(sheet: Sheet, trials: Trials, scheme: Scheme) -> Iterator[Measurement]:
    if scheme.problem:
        yield sheet.missing("eer", "unsupported", scheme.problem, scheme=scheme.name, cohort="*")
        return
    known = trials.within(scheme.cohort_of)
    if not known.both_sides:
        yield sheet.missing("eer", "insufficient", "too few trials inside cohorts", scheme=scheme.name, cohort="*")
        return
    found = eer_cohorts(
        known.scores, known.is_target, known.enroll_speaker, known.test_speaker, scheme.cohort_of,
        n_replicates=N_REPLICATES, seed=sheet.seed("eer", scheme.name),
    )  # fmt: skip
    for cohort in found.cohorts:
        yield from _cohort(sheet, scheme, cohort)
    yield from gap_rows(sheet, scheme, found.gap, EER_GAPS, normalizer=None)


def _cohort(sheet: Sheet, scheme: Scheme, cohort: CohortEer) -> Iterator[Measurement]:
    fields: dict[str, Any] = {
        "scheme": scheme.name,
        "cohort": cohort.name,
        "n": cohort.n_targets + cohort.n_nontargets,
        "n_unit": "trials",
        "n_speakers": cohort.n_speakers,
        "coverage": scheme.coverage,
        "status": cohort.status,
        "reason": too_small(cohort.status),
        "flags": [f"targets:{cohort.n_targets}"],
    }
    for name in ("eer", "fnmr_at_eer", "fmr_at_eer"):
        value = getattr(cohort, name)
        if value is None:
            missing = {"status": "insufficient", "reason": "no target or no non-target trials inside this cohort"}
            yield sheet.row(name, None, **(fields | missing))
        else:
            yield sheet.row(name, value, interval=cohort.interval if name == "eer" else None, **fields)
