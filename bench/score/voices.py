"""Scores a speaker embedder's trials: EER, detection costs and calibration of the whole list, and the time it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from earmark.bench.metrics.resampling import Floats, speaker_draws
from earmark.bench.metrics.statistics import speaker_bootstrap
from earmark.bench.metrics.trial_bootstrap import WeightedTrials, eer_bootstrap, replicated, speaker_codes
from earmark.bench.metrics.verification import equal_error_rate
from earmark.bench.rows import Measurement
from earmark.bench.score.calibrated import NO_CALIBRATION, Normalized, calibration, normalized
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.trials import Trials
from earmark.bench.score.voice_cohorts import (
    CALIBRATED,
    N_REPLICATES,
    interval_of,
    norm_rows,
    score_voice_cohorts,
    threshold_rows,
)
from earmark.bench.score.words import no_scheme
from earmark.bench.tables import read_table


def score_voices(sheet: Sheet, folder: Path, schemes: Sequence[Scheme], *, gaps: bool) -> Iterator[Measurement]:
    """Rows of a cell's verification errors: overall, by cohort, and across cohorts."""
    trials = Trials.read(folder)
    fitted = calibration(folder)
    if fitted is not None:
        trials = replace(trials, llrs=fitted[0](trials.scores))
    if not trials.both_sides:
        yield sheet.missing("eer", "insufficient", "the list needs target and non-target trials")
        yield sheet.missing("eer_gap_rel", "insufficient", "there is no error rate to compare", cohort="*")
        return
    normed = normalized(trials, folder)
    yield from _overall(sheet, trials, [f"calibrated_on_targets:{fitted[1]}"] if fitted else [])
    yield from _after_norm(sheet, trials, normed)
    yield from threshold_rows(sheet, trials)
    if gaps and not schemes:
        yield sheet.missing("eer_gap_rel", "unsupported", no_scheme(trials.speakers), cohort="*")
    for scheme in schemes if gaps else ():
        yield from score_voice_cohorts(sheet, trials, scheme)
        if isinstance(normed, Normalized) and not scheme.problem:
            yield from norm_rows(sheet, trials, normed, scheme)


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


def _overall(sheet: Sheet, trials: Trials, remarks: Sequence[str]) -> Iterator[Measurement]:
    values, drawn = _measures(sheet, trials)
    turned = ["scores_reversed"] if values["eer"] > 0.5 else []
    for name, value in values.items():
        flags = [*trials.flags, *turned, *(remarks if name in CALIBRATED else ())]
        yield sheet.row(
            name, value, interval=interval_of(name, value, drawn[name]), **(trials.fields | {"flags": flags})
        )
    if trials.llrs is None:
        yield sheet.missing("cllr", "unsupported", NO_CALIBRATION)


def _after_norm(sheet: Sheet, trials: Trials, normed: Normalized | str) -> Iterator[Measurement]:
    """The EER of AS-normed scores, with who normalized them."""
    if isinstance(normed, str):
        yield sheet.missing("eer_as_norm", "unsupported", normed)
        return
    value = equal_error_rate(normed.scores[trials.is_target], normed.scores[~trials.is_target])
    drawn = eer_bootstrap(
        normed.scores, trials.is_target, trials.enroll_speaker, trials.test_speaker,
        n_replicates=N_REPLICATES, seed=sheet.seed("eer"),
    )  # fmt: skip
    fields = trials.fields | {"flags": [*trials.flags, *normed.flags]}
    yield sheet.row("eer_as_norm", value, interval=interval_of("eer_as_norm", value, drawn), **fields)


def _measures(sheet: Sheet, trials: Trials) -> tuple[Mapping[str, float], Mapping[str, Floats]]:
    """Every measure of the whole list by name, and its replicates under a joint bootstrap of speakers."""
    speakers, enroll, test = speaker_codes(trials.enroll_speaker, trials.test_speaker)
    weighted = WeightedTrials(trials.scores, trials.is_target, enroll, test, trials.llrs)
    draws = speaker_draws(np.random.default_rng(sheet.seed("eer")), len(speakers), N_REPLICATES)
    drawn = replicated(weighted, (k for block in draws for k in block))
    return weighted.measures(np.ones(len(speakers))), drawn
