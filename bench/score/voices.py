"""Scores a speaker embedder's trials: EER, detection costs and calibration of the whole list, and the time it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from earmark.bench.metrics.resampling import Floats, Interval, speaker_draws, undefined_interval
from earmark.bench.metrics.statistics import percentile_interval, speaker_bootstrap
from earmark.bench.metrics.trial_bootstrap import WeightedTrials, replicated, speaker_codes
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.trials import Trials
from earmark.bench.score.voice_cohorts import N_REPLICATES, score_voice_cohorts, threshold_rows
from earmark.bench.score.words import no_scheme
from earmark.bench.tables import read_table


def score_voices(sheet: Sheet, folder: Path, schemes: Sequence[Scheme], *, gaps: bool) -> Iterator[Measurement]:
    """Rows of a cell's verification errors: overall, by cohort, and across cohorts."""
    trials = Trials.read(folder)
    if not trials.both_sides:
        yield sheet.missing("eer", "insufficient", "the list needs target and non-target trials")
        yield sheet.missing("eer_gap_rel", "insufficient", "there is no error rate to compare", cohort="*")
        return
    yield from _overall(sheet, trials)
    yield from threshold_rows(sheet, trials)
    if gaps and not schemes:
        yield sheet.missing("eer_gap_rel", "unsupported", no_scheme(trials.speakers), cohort="*")
    for scheme in schemes if gaps else ():
        yield from score_voice_cohorts(sheet, trials, scheme)


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


def _overall(sheet: Sheet, trials: Trials) -> Iterator[Measurement]:
    values, drawn = _measures(sheet, trials)
    fields = trials.fields | {"flags": [*trials.flags, *(["scores_reversed"] if values["eer"] > 0.5 else [])]}
    for name, value in values.items():
        yield sheet.row(name, value, interval=_interval(value, drawn[name]), **fields)


def _measures(sheet: Sheet, trials: Trials) -> tuple[Mapping[str, float], Mapping[str, Floats]]:
    """Every measure of the whole list by name, and its replicates under a joint bootstrap of speakers."""
    speakers, enroll, test = speaker_codes(trials.enroll_speaker, trials.test_speaker)
    weighted = WeightedTrials(trials.scores, trials.is_target, enroll, test)
    draws = speaker_draws(np.random.default_rng(sheet.seed("eer")), len(speakers), N_REPLICATES)
    drawn = replicated(weighted, (k for block in draws for k in block))
    return weighted.measures(np.ones(len(speakers))), drawn


def _interval(value: float, drawn: Floats) -> Interval:
    """Resampling a list without errors gives no errors: that is no certainty."""
    return percentile_interval(drawn, 0.95) if value else undefined_interval(0.95)
