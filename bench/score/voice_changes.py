"""What a repair of an embedder changed: the same trials before and after, paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.metrics.trial_changes import TrialChange, TrialChanges, trial_changes
from earmark.bench.rows import Measurement
from earmark.bench.score.changes import LEVELED
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.trials import Trials

NOT_HEARD = "the model as it was has not been measured on these trials"


def score_voice_changes(sheet: Sheet, folder: Path, before: Path, schemes: Sequence[Scheme]) -> Iterator[Measurement]:
    """Rows of what changed against the observations of the model as it was, in the folder ``before``."""
    now, was = Trials.read(folder), Trials.read(before)
    if (now.enroll_id, now.test_id) != (was.enroll_id, was.test_id):
        yield sheet.missing("eer_change", "unsupported", NOT_HEARD)
        return
    if not now.both_sides:
        yield sheet.missing("eer_change", "insufficient", "the list needs target and non-target trials")
        return
    yield _row(sheet, "eer_change", _changes(sheet, was, now, None).overall, len(now.speakers))
    for scheme in schemes:
        mine = [trials.within(scheme.cohort_of) for trials in (was, now)]
        if mine[1].both_sides:
            yield from _by_cohort(sheet, scheme, _changes(sheet, mine[0], mine[1], scheme), len(mine[1].speakers))


def _changes(sheet: Sheet, was: Trials, now: Trials, scheme: Scheme | None) -> TrialChanges:
    cohorts = None if scheme is None else scheme.cohort_of
    seed = sheet.seed("eer_change", "all" if scheme is None else scheme.name)
    return trial_changes(
        was.scores, now.scores, now.is_target, now.enroll_speaker, now.test_speaker, cohorts, seed=seed
    )


def _by_cohort(sheet: Sheet, scheme: Scheme, found: TrialChanges, n_speakers: int) -> Iterator[Measurement]:
    for name, change in found.cohorts.items():
        inside = sum(cohort == name for cohort in scheme.cohort_of.values())
        yield _row(sheet, "eer_change", change, inside, scheme=scheme.name, cohort=name)
    flags = [f"{role}:{name}" for role, name in zip(("bottom", "top"), found.pair or (), strict=False)]
    flags += [LEVELED] if found.leveled_down else []
    for metric, across in (("eer_gap_abs_change", found.gap), ("eer_cohort_std_change", found.spread)):
        if across is not None:
            yield _row(sheet, metric, across, n_speakers, scheme=scheme.name, cohort="*", flags=flags)


def _row(sheet: Sheet, name: str, change: TrialChange, n_speakers: int, **where: Any) -> Measurement:
    return sheet.row(
        name, change.value, interval=change.interval, n=n_speakers, n_unit="speakers", n_speakers=n_speakers, **where
    )
