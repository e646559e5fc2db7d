"""Rates and their intervals, whose unit is the speaker.

Utterances of one speaker resemble each other, so resampling utterances gives intervals that are far too narrow.
Everything here resamples *speakers*: the blockwise bootstrap of Liu and Peng (arXiv 1912.09508) with the speaker as
block. S is the number of speakers, R that of replicates; every seed gives the same numbers each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import (
    Floats,
    Integers,
    Interval,
    Method,
    counts,
    percentile_interval,
    reaches_no_further,
    replicate_rates,
    studentized_interval,
    studentizes,
    undefined_interval,
    weighted_rates,
)

__all__ = [
    "Interval",
    "SpeakerSums",
    "bootstrap_rates",
    "design_effect",
    "per_speaker",
    "percentile_interval",
    "rate_standard_error",
    "speaker_bootstrap",
    "speaker_mean_rate",
]


@dataclass(frozen=True, slots=True)
class SpeakerSums:
    """Errors and units summed by speaker: arrays (S,), speakers in order of name.

    Errors over reference words make a word error rate; any other two sums make another rate, such as executed
    multiply-accumulates over seconds of audio.
    """

    speakers: tuple[str, ...]
    errors: Floats
    units: Floats
    n_utterances: Integers


def per_speaker(speakers: Sequence[str], errors: ArrayLike, units: ArrayLike) -> SpeakerSums:
    """Sum the counts of each row by speaker; the order of the rows doesn't matter."""
    e, n = counts(errors, units)
    if len(speakers) != len(e):
        raise InputError(f"{len(speakers)} speakers for {len(e)} rows of counts")
    if (e < 0).any():
        raise InputError("a count of errors is negative")
    names = sorted(set(speakers))
    place = {name: i for i, name in enumerate(names)}
    codes = np.fromiter((place[s] for s in speakers), dtype=np.int64, count=len(e))
    return SpeakerSums(
        speakers=tuple(names),
        errors=np.bincount(codes, weights=e, minlength=len(names)).astype(np.float64),
        units=np.bincount(codes, weights=n, minlength=len(names)).astype(np.float64),
        n_utterances=np.bincount(codes, minlength=len(names)).astype(np.int64),
    )


def rate_standard_error(errors: ArrayLike, units: ArrayLike) -> float | None:
    """Standard error of the pooled rate, sqrt(S/(S-1) * sum (e - W n)^2) / sum n.

    None below two speakers or without units.

    >>> rate_standard_error([1, 2, 2], [20, 20, 20])
    0.016666666666666666
    """
    e, n = counts(errors, units)
    if len(e) < 2 or not n.sum():
        return None
    return float(weighted_rates(np.ones((1, len(e))), e, n).standard_errors[0])


def speaker_mean_rate(errors: ArrayLike, units: ArrayLike) -> float | None:
    """Mean of the speakers' own rates, speakers without units left out; None without any.

    Where it is more than one standard error from the pooled rate, one speaker dominates.
    """
    e, n = counts(errors, units)
    return float(np.mean(e[n > 0] / n[n > 0])) if (n > 0).any() else None


def design_effect(errors: ArrayLike, units: ArrayLike) -> float:
    """Variance of the pooled rate over that of independent errors, SE^2 / (W / sum n); never below 1."""
    e, n = counts(errors, units)
    se = rate_standard_error(e, n)
    return max(1.0, se**2 * float(n.sum()) ** 2 / float(e.sum())) if se and e.sum() > 0 else 1.0


def bootstrap_rates(errors: ArrayLike, units: ArrayLike, *, n_replicates: int = 1000, seed: int) -> Floats:
    """Pooled rates (R,) of a bootstrap over speakers; NaN in a draw without units."""
    return replicate_rates(errors, units, n_replicates, np.random.default_rng(seed)).rates


def speaker_bootstrap(
    errors: ArrayLike,
    units: ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
    method: Method = "auto",
    zero_design_effect: float = 1.0,
    counted: bool = True,
) -> Interval:
    """Interval of the pooled rate sum(errors) / sum(units) from counts by speaker.

    ``auto`` is bootstrap-t on the logarithm of the rate below 50 speakers and the percentile interval from there.
    Replicates without errors or without spread have no studentized value: they are left out, and where they are
    more than one tail of the interval, or a bound is over 20 times away from the rate (a handful of speakers, one of
    whom hardly varies), the percentile interval is given instead. Without any error the interval runs
    from 0 to the rule of three, -ln(1 - level) / sum n, times ``zero_design_effect`` (see :func:`design_effect`; it
    must come from elsewhere, as no errors show no clustering); other sums than counts (``counted`` false) have no such
    rule. Below two speakers it is undefined.
    """
    e, n = counts(errors, units)
    if (e < 0).any():
        raise InputError("a count of errors is negative")
    if len(e) < 2 or not n.sum():
        return undefined_interval(level)
    if counted and not e.sum():
        return Interval(0.0, -math.log(1 - level) / float(n.sum()) * zero_design_effect, level, "rule-of-three")
    drawn = replicate_rates(e, n, n_replicates, np.random.default_rng(seed))
    if e.sum() and studentizes(method, len(e)):
        rate, se = float(e.sum() / n.sum()), rate_standard_error(e, n) or 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            logs, log_ses = np.log(drawn.rates), drawn.standard_errors / drawn.rates
        found = studentized_interval(math.log(rate), se / rate, logs, log_ses, level)
        if found is not None and reaches_no_further(found, math.log(rate)):
            return Interval(math.exp(found.low or 0.0), math.exp(found.high or 0.0), level, found.method)
    return percentile_interval(drawn.rates, level)
