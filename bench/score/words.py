"""Scores what a recognizer wrote: word and character errors, by cohort, with the gaps between cohorts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from earmark.bench.metrics.cohorts import WER_GAPS, CohortRate, Gap, cohort_gap, cohort_rates
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.standing import standing
from earmark.bench.metrics.statistics import Interval, SpeakerSums, per_speaker, speaker_bootstrap, speaker_mean_rate
from earmark.bench.metrics.words import WordErrors, score_many, score_many_characters
from earmark.bench.rows import Measurement
from earmark.bench.score.confounds import Recordings, adjusted_row
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme

STANDS = "max_t:"
"""Begins the flag of a cohort that can be told from all speakers: ``worse``, ``better``, or ``only_uncorrected``."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A cell's utterances and their normalized reference and hypothesis."""

    utterances: Sequence[Mapping[str, Any]]
    references: list[str]
    hypotheses: list[str]

    @classmethod
    def of(cls, utterances: Sequence[Mapping[str, Any]], normalizer: str) -> Texts:
        references = [normalize(row["reference"], normalizer) for row in utterances]
        return cls(utterances, references, [normalize(row["hypothesis_raw"], normalizer) for row in utterances])

    def some(self, places: Sequence[int]) -> Texts:
        """The utterances at these places."""
        picked = [(self.utterances[i], self.references[i], self.hypotheses[i]) for i in places]
        return Texts([row for row, *_ in picked], [r for _, r, _ in picked], [h for *_, h in picked])

    def said_as(self, hypotheses: Mapping[str, str], normalizer: str) -> Texts:
        """The same utterances with other hypotheses, by utterance id; those that have none are left out."""
        kept = [i for i, row in enumerate(self.utterances) if row["utterance_id"] in hypotheses]
        said = [normalize(hypotheses[self.utterances[i]["utterance_id"]], normalizer) for i in kept]
        return Texts([self.utterances[i] for i in kept], [self.references[i] for i in kept], said)

    @property
    def speakers(self) -> set[str]:
        return {row["speaker"] for row in self.utterances if row["speaker"]}

    @property
    def n_unnamed(self) -> int:
        """Utterances whose speaker nobody named."""
        return sum(not row["speaker"] for row in self.utterances)

    @property
    def units(self) -> list[str]:
        """What is resampled: the speaker, or the utterance by itself where none is named."""
        return [row["speaker"] or f"utterance {row['utterance_id']}" for row in self.utterances]

    @property
    def resampled(self) -> str:
        """What :attr:`units` are, in words."""
        if not self.n_unnamed:
            return "speakers"
        return "speakers and unnamed utterances" if self.speakers else "utterances"

    @property
    def flags(self) -> list[str]:
        return [f"unnamed_utterances:{self.n_unnamed}"] if self.n_unnamed and self.speakers else []


def score_words(sheet: Sheet, texts: Texts, schemes: Sequence[Scheme], *, gaps: bool) -> Iterator[Measurement]:
    """Rows of a cell's error rates: overall, by cohort, and across cohorts."""
    errors = score_many(texts.references, texts.hypotheses)
    total = sum(errors, WordErrors())
    sums = speaker_sums(texts.units, errors)
    yield rate_row(sheet, texts, "wer", total, _interval(sheet, texts, "wer", sums))
    characters = score_many_characters(texts.references, texts.hypotheses)
    interval = resampled(sheet, texts, "cer", characters)
    yield rate_row(sheet, texts, "cer", sum(characters, WordErrors()), interval)
    yield from _kinds(sheet, texts, total)
    named = among(sums, texts.speakers)
    mean = speaker_mean_rate(named.errors, named.units) if named.speakers else None
    if mean is not None:
        n = len(named.speakers)
        yield sheet.row("wer_speaker_mean", mean, n=n, n_unit="speakers", n_speakers=n, normalizer=sheet.normalizer)
    if gaps and not schemes:
        yield sheet.missing("gap_rel", "unsupported", no_scheme(texts.speakers), cohort="*")
    recordings = Recordings(texts.utterances, errors)
    for scheme in schemes if gaps else ():
        yield from _cohort_rows(sheet, scheme, sums, recordings)


def score_offline(sheet: Sheet, texts: Texts, offline: Mapping[str, str]) -> Iterator[Measurement]:
    """Rows of the offline form: its error rate, and how often it says something else than the stream did."""
    if not offline:
        return
    said = texts.said_as(offline, sheet.normalizer)
    errors = score_many(said.references, said.hypotheses)
    interval = resampled(sheet, said, "wer_offline", errors)
    yield rate_row(sheet, said, "wer_offline", sum(errors, WordErrors()), interval)
    streamed = dict(zip((row["utterance_id"] for row in texts.utterances), texts.hypotheses, strict=True))
    pairs = zip(said.utterances, said.hypotheses, strict=True)
    differ, n = sum(streamed[row["utterance_id"]] != text for row, text in pairs), len(said.utterances)
    yield sheet.row(
        "offline_disagreement", differ / n, numerator=differ, denominator=n, n=n, n_unit="utterances",
        normalizer=sheet.normalizer,
    )  # fmt: skip


def no_scheme(speakers: Collection[str]) -> str:
    """Why a cell has no cohorts at all."""
    return "no column of the metadata makes cohorts" if speakers else "the corpus names no speakers"


def speaker_sums(units: Sequence[str], errors: Sequence[WordErrors]) -> SpeakerSums:
    """Errors and reference words by what is resampled, in order of name."""
    return per_speaker(units, [e.errors for e in errors], [e.reference_words for e in errors])


def _interval(sheet: Sheet, texts: Texts, name: str, sums: SpeakerSums) -> Interval:
    interval = speaker_bootstrap(sums.errors, sums.units, seed=sheet.seed(name))
    return replace(interval, method=f"{interval.method} over {texts.resampled}")


def resampled(sheet: Sheet, texts: Texts, name: str, errors: Sequence[WordErrors]) -> Interval:
    """The interval of an error rate; ``name`` decides which resamples are drawn."""
    return _interval(sheet, texts, name, speaker_sums(texts.units, errors))


def rate_row(sheet: Sheet, texts: Texts, name: str, total: WordErrors, interval: Interval, **where: str) -> Measurement:
    """The row of an error rate; ``where`` may name another scheme and cohort than all."""
    fields: dict[str, Any] = {
        **where,
        "numerator": total.errors,
        "denominator": total.reference_words,
        "n": len(texts.utterances),
        "n_unit": "utterances",
        "n_speakers": len(texts.speakers) or None,
        "normalizer": sheet.normalizer,
        "flags": texts.flags,
    }
    if total.rate is None:
        return sheet.missing(name, "insufficient", "the references hold no words", **fields)
    return sheet.row(name, total.rate, interval=interval, **fields)


def _kinds(sheet: Sheet, texts: Texts, total: WordErrors) -> Iterator[Measurement]:
    counts = {"substitution": total.substitutions, "deletion": total.deletions, "insertion": total.insertions}
    for kind, count in counts.items():
        if total.reference_words:
            yield sheet.row(
                f"word_{kind}_rate", count / total.reference_words, numerator=count, denominator=total.reference_words,
                n=len(texts.utterances), n_unit="utterances", normalizer=sheet.normalizer,
            )  # fmt: skip


# --- cohorts ------------------------------------------------------------------------------------------------------


def _cohort_rows(sheet: Sheet, scheme: Scheme, sums: SpeakerSums, recordings: Recordings) -> Iterator[Measurement]:
    if scheme.problem:
        yield sheet.missing("wer", "unsupported", scheme.problem, scheme=scheme.name, cohort="*")
        return
    known = among(sums, scheme.cohort_of)
    labels = [scheme.cohort_of[speaker] for speaker in known.speakers]
    seed = sheet.seed("wer", scheme.name)
    stands = standing(known.errors, known.units, labels, seed=seed)
    for cohort in cohort_rates(known, labels, seed=seed):
        yield _cohort_row(sheet, scheme, cohort, stands.of(cohort.name))
    gap = cohort_gap(known, labels, pair=paired_with(scheme, labels), seed=seed)
    yield from gap_rows(sheet, scheme, gap, WER_GAPS, normalizer=sheet.normalizer)
    if gap.bottom and gap.top and gap.status == "ok":
        yield adjusted_row(sheet, scheme, (gap.bottom, gap.top), recordings)
    yield from _bottom_shares(sheet, scheme, gap, known, labels)


def paired_with(scheme: Scheme, labels: Sequence[str]) -> tuple[str, str] | None:
    """The pair ranked on other speakers, where both of its cohorts are here."""
    return scheme.pair if scheme.pair and set(scheme.pair) <= set(labels) else None


def among(sums: SpeakerSums, speakers: Collection[str]) -> SpeakerSums:
    """The sums of some of the speakers."""
    at = [place for place, speaker in enumerate(sums.speakers) if speaker in speakers]
    speakers = tuple(sums.speakers[place] for place in at)
    return SpeakerSums(speakers, sums.errors[at], sums.units[at], sums.n_utterances[at])


def _cohort_row(sheet: Sheet, scheme: Scheme, cohort: CohortRate, stands: str | None) -> Measurement:
    fields: dict[str, Any] = {
        "scheme": scheme.name,
        "cohort": cohort.name,
        "numerator": cohort.errors,
        "denominator": cohort.units,
        "n": cohort.n_utterances,
        "n_unit": "utterances",
        "n_speakers": cohort.n_speakers,
        "coverage": scheme.coverage,
        "normalizer": sheet.normalizer,
        "status": cohort.status,
        "reason": too_small(cohort.status),
        "flags": [f"{STANDS}{stands}"] if stands else [],
    }
    if cohort.rate is None:
        return sheet.row("wer", None, **(fields | {"status": "insufficient", "reason": "no reference words"}))
    return sheet.row("wer", cohort.rate, interval=cohort.interval, **fields)


def too_small(status: str, floors: str = "10 speakers or 30 errors") -> str | None:
    return f"fewer than {floors}" if status == "insufficient" else None


def gap_rows(
    sheet: Sheet, scheme: Scheme, gap: Gap, names: Sequence[str], *, normalizer: str | None
) -> Iterator[Measurement]:
    """A row for each statistic across cohorts; the pair was picked on the speakers it is measured on, which is said."""
    ranked = (gap.bottom, gap.top) == scheme.pair
    how = "pair_ranked_on_discover" if ranked else "pair_selected_on_measure"
    pair = [f"bottom:{gap.bottom}", f"top:{gap.top}", how] if gap.bottom else []
    fields: dict[str, Any] = {
        "scheme": scheme.name,
        "cohort": "*",
        "n": len(gap.cohorts),
        "n_unit": "cohorts",
        "n_speakers": gap.n_speakers,
        "coverage": scheme.coverage,
        "normalizer": normalizer,
        "flags": pair,
    }
    reason = "a cohort of the pair is too small" if gap.bottom else "fewer than two cohorts could be compared"
    for name in names:
        found = gap[name]
        if found.value is None:
            yield sheet.missing(name, "insufficient", reason, **fields)
            continue
        yield sheet.row(
            name, found.value, interval=found.interval, null_q95=_finite(found.null_q95),
            detectable=_finite(found.detectable), status=gap.status,
            reason=None if gap.status == "ok" else reason, **fields,
        )  # fmt: skip


def _finite(value: float | None) -> float | None:
    """The null of a percentile over missing outputs may be infinite; no row can say so but by its absence."""
    return value if value is not None and math.isfinite(value) else None


def _bottom_shares(
    sheet: Sheet, scheme: Scheme, gap: Gap, sums: SpeakerSums, labels: Sequence[str]
) -> Iterator[Measurement]:
    """How many of the speakers, utterances and words are in the bottom cohort."""
    if gap.bottom is None:
        return
    inside = [label == gap.bottom for label in labels]
    counted = {
        "speakers": (float(sum(inside)), float(len(inside))),
        "utterances": (float(sums.n_utterances[inside].sum()), float(sums.n_utterances.sum())),
        "words": (float(sums.units[inside].sum()), float(sums.units.sum())),
    }
    for what, (part, whole) in counted.items():
        if whole:
            yield sheet.row(
                f"bottom_share_{what}", part / whole, scheme=scheme.name, cohort="*", numerator=part, denominator=whole,
                n=len(gap.cohorts), n_unit="cohorts", n_speakers=len(inside), flags=[f"bottom:{gap.bottom}"],
            )  # fmt: skip
