"""Something spent on recordings, such as multiply-accumulates on seconds, and its rate: pooled, and by cohort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.bench.metrics.cohorts import CohortRate, cohort_gap, cohort_rates
from earmark.bench.metrics.gaps import gap_names
from earmark.bench.metrics.statistics import per_speaker, speaker_bootstrap
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.words import among, gap_rows, too_small


@dataclass(frozen=True, slots=True)
class Spent:
    """Something spent on each recording (N,) and what it is divided by, with the recordings' speakers."""

    amounts: Sequence[float]
    units: Sequence[float]
    speakers: Sequence[str | None]

    def row(self, sheet: Sheet, name: str, **where: str) -> Measurement:
        """The pooled rate, with an interval where every recording has a speaker; ``where`` names scheme and cohort."""
        amount, unit, interval = sum(self.amounts), sum(self.units), None
        if all(self.speakers):
            sums = per_speaker([speaker or "" for speaker in self.speakers], self.amounts, self.units)
            seed = sheet.seed(name, *where.values())
            interval = speaker_bootstrap(sums.errors, sums.units, seed=seed, counted=False)
        return sheet.row(
            name, amount / unit, interval=interval, numerator=amount, denominator=unit, n=len(self.units),
            n_unit="utterances", n_speakers=len({*self.speakers} - {None}) or None, **where,
        )  # fmt: skip

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
