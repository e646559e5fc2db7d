"""How much of a gap is left once recordings are alike: the confound check.

Speakers of one cohort may have the worse microphones. A Poisson rate model, ln E[errors] = ln words + cohort + nuisance
covariates, asks how the rates would differ at the same signal-to-noise ratio, duration or site. It is fitted as
a generalized estimating equation with independent working correlation and the speaker as cluster, with the
bias-reduced covariance of Mancl and DeRouen (Biometrics 57, 2001), by statsmodels (the extra ``adjust``).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Interval, counts, undefined_interval

LARGEST_LOG = math.log(1e6)
"""A ratio beyond this is the model's way to say that it has none."""
LACKING = "needs statsmodels, which isn't installed: pip install 'earmark[adjust]'"


@dataclass(frozen=True, slots=True)
class RateRatio:
    """Rate of the bottom cohort over that of the top; None where it can't be had."""

    value: float | None
    interval: Interval


@dataclass(frozen=True, slots=True)
class AdjustedGap:
    """The ratio of two cohorts' rates as it is and at equal covariates, from the same rows.

    ``n_left_out`` rows had no words or an unknown covariate. Where ``status`` isn't ``ok``, ``reason`` says why.
    """

    bottom: str
    top: str
    covariates: tuple[str, ...]
    unadjusted: RateRatio
    adjusted: RateRatio
    n_rows: int
    n_left_out: int
    n_speakers: int
    status: Literal["ok", "insufficient", "unsupported"]
    reason: str | None = None

    @property
    def explained(self) -> float | None:
        """The share of the gap, on the logarithm, that went away: 0 none of it, 1 all, negative: it grew."""
        plain, left = self.unadjusted.value, self.adjusted.value
        if plain is None or left is None or plain == 1.0:
            return None
        return 1 - math.log(left) / math.log(plain)


def adjusted_gap(
    errors: ArrayLike,
    words: ArrayLike,
    speakers: Sequence[str],
    cohorts: Sequence[str],
    covariates: Mapping[str, Sequence[float | str | None]],
    *,
    pair: tuple[str, str],
    level: float = 0.95,
) -> AdjustedGap:
    """The rate ratio of ``pair``, (bottom, top), before and after adjusting for covariates.

    All sequences are (N,), a recording each: its errors, reference words, speaker, the speaker's cohort, and by name
    the nuisance covariates, numbers (SNR in dB, duration in s) or categories (site). Rows of all cohorts inform the
    covariates' effects. Rows without words or with an unknown covariate (None, NaN) are left out of both
    ratios. Intervals are Wald's on the logarithm, with Student's t at speakers minus coefficients degrees of freedom.

    ``unsupported`` without statsmodels; ``insufficient`` where a cohort of the pair has no errors, a covariate can't be
    told from the cohorts, or there are no more speakers than coefficients.
    """
    e, n = counts(errors, words)
    rows = _Rows.read(e, n, speakers, cohorts, covariates)
    bottom, top = pair
    facts: dict[str, Any] = {
        "bottom": bottom, "top": top, "covariates": tuple(covariates), "n_rows": len(rows.errors),
        "n_left_out": len(e) - len(rows.errors), "n_speakers": len(set(rows.speakers.tolist())),
    }  # fmt: skip
    nothing = RateRatio(None, undefined_interval(level))
    if find_spec("statsmodels") is None:
        return AdjustedGap(unadjusted=nothing, adjusted=nothing, status="unsupported", reason=LACKING, **facts)
    plain, columns = rows.cohort_columns(top), rows.covariate_columns()
    reason = rows.problem(pair, plain, columns)
    if reason:
        return AdjustedGap(unadjusted=nothing, adjusted=nothing, status="insufficient", reason=reason, **facts)
    at = 1 + rows.others(top).index(bottom)
    found = [_ratio(rows, design, at, level) for design in (plain, np.hstack([plain, columns]))]
    failed = "the rate model finds no finite ratio" if any(ratio.value is None for ratio in found) else None
    status: Literal["ok", "insufficient"] = "insufficient" if failed else "ok"
    return AdjustedGap(unadjusted=found[0], adjusted=found[1], status=status, reason=failed, **facts)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The recordings that can be used."""

    errors: Floats
    words: Floats
    speakers: NDArray[np.object_]
    cohorts: NDArray[np.object_]
    covariates: Mapping[str, NDArray[np.object_]]

    @classmethod
    def read(
        cls,
        errors: Floats,
        words: Floats,
        speakers: Sequence[str],
        cohorts: Sequence[str],
        covariates: Mapping[str, Sequence[float | str | None]],
    ) -> _Rows:
        columns = {name: np.array(list(values), dtype=object) for name, values in covariates.items()}
        who, where = np.array(list(speakers), dtype=object), np.array(list(cohorts), dtype=object)
        for name, column in {"speakers": who, "cohorts": where, **columns}.items():
            if len(column) != len(errors):
                raise InputError(f"{len(column)} values of {name} for {len(errors)} recordings")
        known = words > 0
        for column in columns.values():
            known &= np.array([value is not None and value == value for value in column], dtype=bool)  # NaN != NaN
        return cls(
            errors[known], words[known], who[known], where[known], {name: c[known] for name, c in columns.items()}
        )

    def others(self, top: str) -> list[str]:
        """Every cohort but the one that the others are compared with."""
        return sorted(set(self.cohorts.tolist()) - {top})

    def cohort_columns(self, top: str) -> Floats:
        """A column of ones and an indicator of every cohort but the top (N, K)."""
        return np.column_stack([np.ones(len(self.errors)), *(self.cohorts == name for name in self.others(top))])

    def covariate_columns(self) -> Floats:
        """Numbers in units of their standard deviation about their mean, categories as indicators; constants drop."""
        found: list[Floats] = []
        for values in self.covariates.values():
            if any(isinstance(value, str) for value in values):
                found += [(values == name).astype(np.float64) for name in sorted(set(values.tolist()), key=str)[1:]]
            elif len(values) and np.ptp(numbers := values.astype(np.float64)) > 0:
                found.append((numbers - numbers.mean()) / numbers.std())
        return np.column_stack(found) if found else np.empty((len(self.errors), 0))

    def problem(self, pair: tuple[str, str], plain: Floats, columns: Floats) -> str | None:
        """Why no ratio can be had from these rows."""
        if pair[0] == pair[1]:
            return f"{pair[0]!r} is both the bottom cohort and the top one"
        for name in pair:
            if not self.errors[self.cohorts == name].sum():
                return f"cohort {name!r} has no errors"
        n_coefficients = plain.shape[1] + columns.shape[1]
        if np.linalg.matrix_rank(np.hstack([plain, columns])) < n_coefficients:
            return f"covariates can't be told from the cohorts or from each other: {', '.join(self.covariates)}"
        if len(set(self.speakers.tolist())) <= n_coefficients:
            return f"{n_coefficients} coefficients need more speakers"
        return None


def _ratio(rows: _Rows, design: Floats, at: int, level: float) -> RateRatio:
    """The exponential of coefficient ``at`` of the rate model, with its interval."""
    import statsmodels.api as sm
    from scipy.special import stdtrit

    _, clusters = np.unique(rows.speakers.astype(np.str_), return_inverse=True)
    model = sm.GEE(
        rows.errors, design, groups=clusters, offset=np.log(rows.words), family=sm.families.Poisson(),
        cov_struct=sm.cov_struct.Independence(),
    )  # fmt: skip
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what separates cohorts perfectly shows in the standard error
        try:
            fitted = model.fit(cov_type="bias_reduced")
        except np.linalg.LinAlgError:  # a speaker who alone decides a coefficient
            return RateRatio(None, undefined_interval(level))
        log_ratio, se = float(fitted.params[at]), float(fitted.bse[at])
    if not math.isfinite(log_ratio) or abs(log_ratio) > LARGEST_LOG or not math.isfinite(se):
        return RateRatio(None, undefined_interval(level))
    reach = float(stdtrit(clusters.max() + 1 - design.shape[1], (1 + level) / 2)) * se
    interval = Interval(math.exp(log_ratio - reach), math.exp(log_ratio + reach), level, "bias-reduced sandwich, t")
    return RateRatio(math.exp(log_ratio), interval)
