"""Two speaker embedders on the same trials: the change of the equal error rate, overall and inside cohorts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench.compare.changes import Change
from earmark.bench.compare.reading import columns, require_same, sorted_by
from earmark.bench.metrics.gaps import MIN_SPEAKERS
from earmark.bench.metrics.resampling import Floats, percentile_interval, speaker_draws
from earmark.bench.metrics.trial_bootstrap import WeightedTrials, speaker_codes
from earmark.bench.score.schemes import Scheme

N_REPLICATES = 500
_TRIAL = ("enroll_id", "test_id", "list_name", "enroll_speaker", "test_speaker", "target")


@dataclass(frozen=True, slots=True)
class Trials:
    """N trials with both systems' scores."""

    enroll: NDArray[np.str_]
    test: NDArray[np.str_]
    target: NDArray[np.bool_]
    before: Floats
    after: Floats

    @classmethod
    def read(cls, a: Path, b: Path) -> Trials:
        """Raises InputError unless both cells scored the same trials."""
        one, other = (sorted_by(columns(f, "trials", [*_TRIAL, "score"]), *_TRIAL[:3]) for f in (a, b))
        require_same(one, other, _TRIAL, "trials")
        enroll, test = (np.array(one[name].to_pylist(), dtype=np.str_) for name in ("enroll_speaker", "test_speaker"))
        scores = (np.asarray(side["score"], dtype=np.float64) for side in (one, other))
        return cls(enroll, test, np.asarray(one["target"]).astype(bool), *scores)

    def inside(self, speakers: Sequence[str]) -> Trials:
        """The trials both of whose speakers are among these."""
        at = np.isin(self.enroll, speakers) & np.isin(self.test, speakers)
        return Trials(self.enroll[at], self.test[at], self.target[at], self.before[at], self.after[at])

    @property
    def both_kinds(self) -> bool:
        return bool(self.target.any() and not self.target.all())


def voice_changes(
    trials: Trials, schemes: Sequence[Scheme], common: dict[str, Any], level: float, seed: int
) -> Iterator[Change]:
    """The change of the EER for everybody, and on the trials inside each cohort of enough speakers."""
    yield _change(trials, {**common, "metric": "eer"}, level, seed)
    for scheme in schemes:
        for cohort in sorted(set(scheme.cohort_of.values())):
            speakers = [name for name, found in scheme.cohort_of.items() if found == cohort]
            where = {**common, "metric": "eer", "scheme": scheme.name, "cohort": cohort}
            yield _change(trials.inside(speakers), where, level, seed)


def _change(trials: Trials, where: dict[str, Any], level: float, seed: int) -> Change:
    """Speakers are drawn once for both systems; the change is judged by Student's t with its bootstrap error."""
    if not trials.both_kinds:
        return Change(**where, before=None, after=None, reason="no target or no non-target trials")
    speakers, enroll, test = speaker_codes(trials.enroll.tolist(), trials.test.tolist())
    sides = [WeightedTrials(scores, trials.target, enroll, test) for scores in (trials.before, trials.after)]
    everybody = np.ones(len(speakers))
    before, after = (side.equal_error_rate(everybody) for side in sides)
    where |= {"before": before, "after": after, "n": len(trials.target), "n_unit": "trials"}
    where |= {"n_speakers": len(speakers)}
    if len(speakers) < MIN_SPEAKERS:
        return Change(**where, reason=f"fewer than {MIN_SPEAKERS} speakers")
    draws = speaker_draws(np.random.default_rng(seed), len(speakers), N_REPLICATES)
    drawn = np.array([sides[1].equal_error_rate(k) - sides[0].equal_error_rate(k) for block in draws for k in block])
    interval = percentile_interval(drawn, level)
    return Change(
        **where, ci_low=interval.low, ci_high=interval.high, ci_level=level,
        ci_method="paired percentile over speakers", p_value=_p_value(after - before, drawn, len(speakers)),
    )  # fmt: skip


def _p_value(change: float, drawn: Floats, n_speakers: int) -> float | None:
    from scipy.special import stdtr

    error = float(np.nanstd(drawn))
    return float(2 * stdtr(n_speakers - 1, -math.fabs(change) / error)) if error else None
