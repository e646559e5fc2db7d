"""Scores when a recognizer's words came: latencies on the paced stream, and real-time factors.

Only recordings marked as timed count: those drawn to be streamed in every pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.metrics import latency
from earmark.bench.metrics.gaps import gap_names
from earmark.bench.metrics.percentiles import cohort_percentiles, percentile_bootstrap
from earmark.bench.metrics.statistics import speaker_bootstrap
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.timed import Timed, read_timed
from earmark.bench.score.words import gap_rows, too_small

N_REPLICATES = 1000
COHORT_PERCENTILE = 95
"""The percentile of word delays that is compared between cohorts."""


def score_delays(sheet: Sheet, folder: Path, schemes: Sequence[Scheme] = ()) -> Iterator[Measurement]:
    """Rows of a cell's latencies and real-time factors, and of word delays by cohort where there are schemes."""
    timed = list(read_timed(sheet, folder))
    if not timed:
        return
    yield from _real_time_factors(sheet, timed)
    yield from _stream_rows(sheet, timed)
    yield from _word_rows(sheet, timed)
    yield from _revision_row(sheet, timed)
    for scheme in schemes:
        yield from _cohort_rows(sheet, scheme, timed)


def score_stream(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Rows of a cell's real-time factors, first texts and last results: those that need no order of words."""
    timed = list(read_timed(sheet, folder))
    if timed:
        yield from _real_time_factors(sheet, timed)
        yield from _stream_rows(sheet, timed)


def _revision_row(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    n_words, revisions = sum(t.n_words for t in timed), sum(t.n_revisions for t in timed)
    if n_words:
        yield sheet.row(
            "partial_revisions_per_word", revisions / n_words, numerator=revisions, denominator=n_words,
            n=len(timed), n_unit="streams", normalizer=sheet.normalizer,
        )  # fmt: skip


def _real_time_factors(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    spent, audio = [float(t.service_s.sum()) for t in timed], [t.audio_s for t in timed]
    interval = speaker_bootstrap(spent, audio, seed=sheet.seed("rtf_streaming"), method="percentile")
    interval = replace(interval, method=f"{interval.method} over recordings")
    streams: dict[str, Any] = {"n": len(timed), "n_unit": "streams"}
    factor = latency.real_time_factor(spent, audio)
    yield sheet.row("rtf_streaming", factor, interval=interval, numerator=sum(spent), denominator=sum(audio), **streams)
    windows = [latency.max_window_rtf(t.service_s, t.due_s) for t in timed]
    yield sheet.row("rtf_streaming_max_10s", max(w for w in windows if w is not None), **streams)
    chunks_ms = [(1000 * t.service_s).tolist() for t in timed]
    yield from percentile_rows(sheet, "compute_chunk", (50, 95), chunks_ms, n_unit="chunks")


def _stream_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """First text and last result of each stream; the first counts from the start of speech, where that is known."""
    placed = [t for t in timed if t.has_times]
    first = [[ms] for ms in latency.first_token([t.times for t in placed or timed])]
    fields: dict[str, Any] = {"n_unit": "streams", "coverage": len(placed or timed) / len(timed)}
    flags = [] if placed else ["from_start_of_recording"]
    yield from percentile_rows(sheet, "first_token", (50, 90), first, flags=flags, **fields)
    last = [[ms] for ms in latency.finalize([t.times for t in timed])]
    yield from percentile_rows(sheet, "finalize", (50, 90), last, n_unit="streams")


def _word_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """Delays of the words that were recognized, by recording, with the share of words they speak for."""
    n_placed = sum(t.n_placed for t in timed)
    covered = latency.coverage(sum(len(t.words) for t in timed), n_placed)
    kinds = (
        ("upl_final", (50, 90, 95, 99), latency.upl_final),
        ("upl_first", (50, 90), latency.upl_first),
        ("emission", (50, 90), latency.emission),
    )
    for name, percentiles, delays in kinds:
        values = [delays(t.words) for t in timed if t.words]
        fields = {"n_unit": "words", "coverage": covered, "normalizer": sheet.normalizer}
        if values:
            yield from percentile_rows(sheet, name, percentiles, values, **fields)
            continue
        reason = "no word was recognized" if n_placed else "the corpus has no word times that fit its texts"
        for q in percentiles:
            yield sheet.missing(f"{name}_p{q}", "insufficient" if n_placed else "unsupported", reason, **fields)


def percentile_rows(
    sheet: Sheet, name: str, percentiles: Sequence[int], by_recording: Sequence[Sequence[float]], **fields: Any
) -> Iterator[Measurement]:
    """Percentiles over all values, with intervals that resample recordings."""
    values = np.array([value for found in by_recording for value in found])
    recordings = [str(number) for number, found in enumerate(by_recording) for _ in found]
    for q in percentiles:
        seed = sheet.seed(name, str(q))
        interval = percentile_bootstrap(values, recordings, q, n_replicates=N_REPLICATES, seed=seed)
        interval = replace(interval, method=f"{interval.method} over recordings")
        yield sheet.row(
            f"{name}_p{q}", latency.percentile(values, q), interval=interval, n=len(values), **fields
        )  # fmt: skip


def _cohort_rows(sheet: Sheet, scheme: Scheme, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """The delay that 95 % of each cohort's recognized words stay under, and the gaps between cohorts.

    A cohort's coverage is the share of its words that the delays speak for: who is recognized worse is heard less of.
    """
    known = [t for t in timed if t.speaker in scheme.cohort_of]
    placed: dict[str, int] = defaultdict(int)
    for t in known:
        placed[scheme.cohort_of[t.speaker or ""]] += t.n_placed
    delays = {t.utterance_id: latency.upl_final(t.words) for t in known if t.words}
    if not delays:
        return
    values = [value for found in delays.values() for value in found]
    speakers = [t.speaker or "" for t in known if t.words for _ in t.words]
    name, seed = f"upl_final_p{COHORT_PERCENTILE}", sheet.seed("upl_final", scheme.name)
    found = cohort_percentiles(values, speakers, scheme.cohort_of, COHORT_PERCENTILE, seed=seed)
    for cohort in found.cohorts:
        yield sheet.row(
            name, cohort.value, interval=cohort.interval, scheme=scheme.name, cohort=cohort.name, n=cohort.n_values,
            n_unit="words", n_speakers=cohort.n_speakers, normalizer=sheet.normalizer, status=cohort.status,
            coverage=latency.coverage(cohort.n_values, placed[cohort.name]),
            reason=too_small(cohort.status, "10 speakers or 30 words beyond the percentile"),
        )  # fmt: skip
    yield from gap_rows(sheet, scheme, found.gap.named(name), gap_names(name), normalizer=sheet.normalizer)
