"""Verification errors by cohort: equal error rates with their gaps, and rates at thresholds set once on everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.cohorts import EER_GAPS, CohortEer, eer_cohorts
from earmark.bench.metrics.differentials import DIFFERENTIALS, CohortRates, Differentials, differentials
from earmark.bench.metrics.false_matches import false_matches_between
from earmark.bench.metrics.gaps import MIN_ERRORS, status_of
from earmark.bench.metrics.resampling import Floats, Interval, percentile_interval, undefined_interval
from earmark.bench.metrics.speaker_pairs import Rate
from earmark.bench.metrics.trial_bootstrap import replicated
from earmark.bench.metrics.verification import eer_threshold, fmr_threshold
from earmark.bench.rows import Measurement
from earmark.bench.score.calibrated import Normalized
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.trials import Trials
from earmark.bench.score.words import gap_rows, paired_with, too_small

N_REPLICATES = 500
CALIBRATED = ("cllr", "calibration_loss", "act_dcf_p01", "act_dcf_p05")
"""Measures of scores that were made likelihood ratios, by one map for everybody."""
_FMR_POINTS = {"fmr_1pct": 0.01, "fmr_01pct": 0.001}
_NO_RATE = {"status": "insufficient", "reason": "no target or no non-target trials inside this cohort"}


def thresholds(trials: Trials) -> dict[str, float]:
    """The thresholds that are set once, on the whole list, by operating point."""
    return {"eer": eer_threshold(*trials.sides)} | {
        name: fmr_threshold(*trials.sides, fmr) for name, fmr in _FMR_POINTS.items()
    }


def threshold_rows(sheet: Sheet, trials: Trials) -> Iterator[Measurement]:
    """FNMR and FMR of the whole list at each operating point."""
    everybody = _cohort_trials(trials, dict.fromkeys(trials.speakers, "all"))
    for point, threshold in thresholds(trials).items():
        found = differentials(everybody, threshold, n_replicates=N_REPLICATES, seed=sheet.seed("threshold", point))
        yield from _rate_rows(sheet, point, found.cohorts[0], _at(trials, point, threshold))


def score_voice_cohorts(sheet: Sheet, trials: Trials, scheme: Scheme) -> Iterator[Measurement]:
    """The rows of one scheme, over the trials whose two speakers both have a cohort."""
    if scheme.problem:
        yield sheet.missing("eer", "unsupported", scheme.problem, scheme=scheme.name, cohort="*")
        return
    known = trials.within(scheme.cohort_of)
    if not known.both_sides:
        yield sheet.missing("eer", "insufficient", "too few trials inside cohorts", scheme=scheme.name, cohort="*")
        return
    found = eer_cohorts(
        known.scores, known.is_target, known.enroll_speaker, known.test_speaker, scheme.cohort_of,
        pair=paired_with(scheme, sorted({scheme.cohort_of[name] for name in known.speakers})),
        n_replicates=N_REPLICATES, seed=sheet.seed("eer", scheme.name),
    )  # fmt: skip
    for cohort in found.cohorts:
        yield _eer_row(sheet, scheme, cohort)
    yield from gap_rows(sheet, scheme, found.gap, EER_GAPS, normalizer=None)
    yield from _differential_rows(sheet, trials, known, scheme)
    if known.llrs is not None:
        yield from _calibrated_rows(sheet, known, scheme, found.cohorts)


def norm_rows(sheet: Sheet, trials: Trials, normed: Normalized, scheme: Scheme) -> Iterator[Measurement]:
    """EER of AS-normed scores in each cohort, with how many of the impostors are the cohort's own."""
    known = replace(trials, scores=normed.scores).within(scheme.cohort_of)
    if not known.both_sides:
        return
    found = eer_cohorts(
        known.scores, known.is_target, known.enroll_speaker, known.test_speaker, scheme.cohort_of,
        n_replicates=N_REPLICATES, n_permutations=1, seed=sheet.seed("eer", scheme.name),
    )  # fmt: skip
    for cohort in found.cohorts:
        own = [*normed.flags, f"impostors_own:{normed.n_of(scheme.name, cohort.name)}"]
        yield _eer_row(sheet, scheme, cohort, "eer_as_norm", own)


def interval_of(name: str, value: float, drawn: Floats) -> Interval:
    """The interval of a measure from its replicates, where they can give one.

    Resampling a list without errors gives no errors: that is no certainty. And the best rising map fits a draw, which
    repeats trials, more closely than the list: what is left beside it is too large in every draw.
    """
    return undefined_interval(0.95) if not value or name == "calibration_loss" else percentile_interval(drawn, 0.95)


def _cohort_trials(trials: Trials, cohort_of: Mapping[str, str]) -> CohortTrials:
    return CohortTrials.read(
        trials.scores, trials.is_target, trials.enroll_speaker, trials.test_speaker, cohort_of, trials.llrs
    )


def _eer_row(
    sheet: Sheet, scheme: Scheme, cohort: CohortEer, name: str = "eer", flags: Sequence[str] = ()
) -> Measurement:
    fields = _fields(scheme, cohort)
    fields["flags"] += flags
    if cohort.eer is None:
        return sheet.row(name, None, **(fields | _NO_RATE))
    return sheet.row(name, cohort.eer, interval=cohort.interval, **fields)


def _fields(scheme: Scheme, cohort: CohortEer) -> dict[str, Any]:
    return {
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


def _calibrated_rows(
    sheet: Sheet, known: Trials, scheme: Scheme, cohorts: Sequence[CohortEer]
) -> Iterator[Measurement]:
    """What one calibration for everybody costs each cohort."""
    trials = _cohort_trials(known, scheme.cohort_of)
    draws = trials.draws(N_REPLICATES, np.random.default_rng(sheet.seed("cllr", scheme.name)))
    for c, cohort in enumerate(cohorts):
        part = trials.weighted(trials.inside(c))
        if part is None:
            continue
        values, drawn = part.measures(np.ones(draws.shape[1])), replicated(part, draws)
        large = {
            "status": status_of(cohort.n_speakers),
            "reason": too_small(status_of(cohort.n_speakers), "10 speakers"),
        }
        for name in ("min_cllr", *CALIBRATED):
            interval = interval_of(name, values[name], drawn[name])
            yield sheet.row(name, values[name], interval=interval, **(_fields(scheme, cohort) | large))


# --- at one threshold ---------------------------------------------------------------------------------------------


def _differential_rows(sheet: Sheet, everything: Trials, known: Trials, scheme: Scheme) -> Iterator[Measurement]:
    trials = _cohort_trials(known, scheme.cohort_of)
    for point, threshold in thresholds(everything).items():
        found = differentials(
            trials, threshold, n_replicates=N_REPLICATES, seed=sheet.seed("threshold", point, scheme.name)
        )
        at = _at(everything, point, threshold) | {"scheme": scheme.name, "coverage": scheme.coverage}
        for cohort in found.cohorts:
            yield from _rate_rows(sheet, point, cohort, at)
        yield from _across_rows(sheet, point, found, at)
        if point == "eer":
            yield from _between_rows(sheet, trials, threshold, at)


def _between_rows(sheet: Sheet, trials: CohortTrials, threshold: float, at: dict[str, Any]) -> Iterator[Measurement]:
    """The matrix of false matches, a row for two cohorts: what stands on its diagonal is ``fmr_at_eer``."""
    seed = sheet.seed("between", at["scheme"])
    for found in false_matches_between(trials, threshold, n_replicates=N_REPLICATES, seed=seed):
        small = (
            None if found.fmr.status == "ok" else "a cohort has fewer than 10 speakers, or there are under 30 errors"
        )
        yield sheet.row(
            "fmr_between_at_eer", found.fmr.value, interval=found.fmr.interval, cohort=f"{found.one} | {found.two}",
            n_speakers=found.n_speakers, status=found.fmr.status, reason=small, **_counts(found.fmr), **at,
        )  # fmt: skip


def _at(everything: Trials, point: str, threshold: float) -> dict[str, Any]:
    """What rows at a threshold have in common; one set on few false matches supports no statement."""
    n_false = int((everything.sides[1] >= threshold).sum())
    unsure = {"status": "insufficient", "reason": f"the threshold rests on {n_false} false matches, fewer than 30"}
    shaky = point in _FMR_POINTS and n_false < MIN_ERRORS
    return {"flags": [f"threshold:{threshold:.6g}"], **(unsure if shaky else {})}


def _rate_rows(sheet: Sheet, point: str, cohort: CohortRates, at: dict[str, Any]) -> Iterator[Measurement]:
    for stem, rate in (("fnmr", cohort.fnmr), ("fmr", cohort.fmr)):
        own = {"status": rate.status, "reason": too_small(rate.status)}
        fields = _counts(rate) | {"cohort": cohort.name, "n_speakers": cohort.n_speakers} | own | at
        if rate.value is None:
            yield sheet.row(f"{stem}_at_{point}", None, **(fields | _NO_RATE))
        else:
            yield sheet.row(f"{stem}_at_{point}", rate.value, interval=rate.interval, **fields)


def _counts(rate: Rate) -> dict[str, Any]:
    return {"numerator": rate.errors, "denominator": rate.trials, "n": rate.trials, "n_unit": "trials"}


def _across_rows(sheet: Sheet, point: str, found: Differentials, at: dict[str, Any]) -> Iterator[Measurement]:
    inside = [cohort for cohort in found.cohorts if cohort.name in found.compared]
    small = "a cohort has fewer than 10 speakers, 30 false matches or 30 false non-matches"
    fields: dict[str, Any] = {
        "cohort": "*",
        "n": len(found.compared),
        "n_unit": "cohorts",
        "n_speakers": sum(cohort.n_speakers for cohort in inside),
        "status": found.status,
        "reason": None if found.status == "ok" else small,
    }
    for stem in DIFFERENTIALS:
        measure = found.measures[stem]
        name = f"{stem}_at_{point}"
        if measure.value is None:
            none = {"status": "insufficient", "reason": "fewer than two cohorts, or one without any error"}
            yield sheet.row(name, None, **(fields | at | none))
            continue
        yield sheet.row(
            name, measure.value, interval=measure.interval, null_q95=measure.null_q95, detectable=measure.detectable,
            **(fields | at),
        )  # fmt: skip
