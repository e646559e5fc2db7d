"""Intervals, paired differences and simultaneous statements whose unit is the speaker.

Utterances of one speaker resemble each other, so resampling utterances gives intervals that are far too narrow.
Everything here resamples *speakers*: the blockwise bootstrap of Liu and Peng (arXiv 1912.09508) with the speaker as
block. S is the number of speakers, R that of replicates; every seed gives the same numbers each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
    label_groups,
    percentile_interval,
    reaches_no_further,
    replicate_rates,
    speaker_draws,
    studentized,
    studentized_interval,
    studentizes,
    undefined_interval,
    weighted_rates,
)

__all__ = [
    "Difference",
    "Interval",
    "MaxT",
    "SpeakerSums",
    "bootstrap_rates",
    "design_effect",
    "holm",
    "max_t",
    "paired_difference",
    "per_speaker",
    "percentile_interval",
    "rate_standard_error",
    "recording_bootstrap",
    "speaker_bootstrap",
    "speaker_mean_rate",
]


@dataclass(frozen=True, slots=True)
class SpeakerSums:
    """Errors and units (reference words) summed by speaker: arrays (S,), speakers in order of name."""

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
) -> Interval:
    """Interval of the pooled rate sum(errors) / sum(units) from counts by speaker.

    ``auto`` is bootstrap-t on the logarithm of the rate below 50 speakers and the percentile interval from there.
    Replicates without errors or without spread have no studentized value: they are left out, and where they are
    more than one tail of the interval, or a bound is over 20 times away from the rate (a handful of speakers, one of
    whom hardly varies), the percentile interval is given instead. Without any error the interval runs
    from 0 to the rule of three, -ln(1 - level) / sum n, times ``zero_design_effect`` (see :func:`design_effect`; it
    must come from elsewhere, as no errors show no clustering). Below two speakers it is undefined.
    """
    e, n = counts(errors, units)
    if (e < 0).any():
        raise InputError("a count of errors is negative")
    if len(e) < 2 or not n.sum():
        return undefined_interval(level)
    if not e.sum():
        return Interval(0.0, -math.log(1 - level) / float(n.sum()) * zero_design_effect, level, "rule-of-three")
    drawn = replicate_rates(e, n, n_replicates, np.random.default_rng(seed))
    if studentizes(method, len(e)):
        rate, se = float(e.sum() / n.sum()), rate_standard_error(e, n) or 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            logs, log_ses = np.log(drawn.rates), drawn.standard_errors / drawn.rates
        found = studentized_interval(math.log(rate), se / rate, logs, log_ses, level)
        if found is not None and reaches_no_further(found, math.log(rate)):
            return Interval(math.exp(found.low or 0.0), math.exp(found.high or 0.0), level, found.method)
    return percentile_interval(drawn.rates, level)


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two systems heard on the same speakers; ``value`` is after minus before."""

    before: float
    after: float
    value: float
    standard_error: float | None
    interval: Interval
    p_value: float | None

    @property
    def relative(self) -> float | None:
        """The change as a share of the rate before; None where that was zero."""
        return self.value / self.before if self.before else None


def paired_difference(
    before_errors: ArrayLike,
    after_errors: ArrayLike,
    units: ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
    method: Method = "auto",
) -> Difference:
    """Change of the pooled rate, after minus before, with the same draw of speakers on both sides.

    The changes by speaker over the same units are a ratio themselves, so everything holds with errors = after -
    before. T is on the plain scale, as a difference has no logarithm. ``p_value`` is two-sided: the share of
    replicates whose ``|T*|`` reaches ``|T|``, (1 + count) / (1 + R); None where there is no spread to compare with.
    """
    before, n = counts(before_errors, units)
    after, _ = counts(after_errors, units)
    if not n.sum():
        raise InputError("no reference words to compare two systems on")
    change, total = after - before, float(n.sum())
    value, se = float(change.sum()) / total, rate_standard_error(change, n)
    drawn = replicate_rates(change, n, n_replicates, np.random.default_rng(seed))
    interval, p_value = undefined_interval(level), None
    if se is not None:
        interval = percentile_interval(drawn.rates, level)
    if se is not None and studentizes(method, len(n)):
        interval = studentized_interval(value, se, drawn.rates, drawn.standard_errors, level) or interval
    if se:
        t = np.abs(studentized(value, drawn.rates, drawn.standard_errors))
        p_value = float((1 + np.sum(t >= abs(value) / se)) / (1 + len(t)))
    return Difference(float(before.sum()) / total, float(after.sum()) / total, value, se, interval, p_value)


@dataclass(frozen=True, slots=True)
class MaxT:
    """Cohorts against the overall rate, with one critical value for all of them."""

    critical: float
    statistics: Mapping[str, float]
    level: float

    @property
    def flagged(self) -> tuple[str, ...]:
        """Cohorts whose rate differs; of worlds without any difference at most 1 - level flag one."""
        return tuple(name for name, t in self.statistics.items() if abs(t) > self.critical)


def max_t(
    errors: ArrayLike,
    units: ArrayLike,
    labels: Sequence[str],
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
) -> MaxT:
    """Studentized max-T over cohorts of speakers, T_c = (ln W_c - ln W_all) / (SE_c / W_c).

    Speakers are drawn inside each cohort; the critical value is the ``level`` quantile, over replicates, of the
    largest ``|T_c*|``, each centered at what was observed (single-step max-T of Romano and Wolf, 2005). Give only
    cohorts of at least two speakers and one error; smaller ones raise InputError.
    """
    e, n = counts(errors, units)
    groups = label_groups(labels, len(e))
    poor = [name for name, at in groups.items() if not rate_standard_error(e[at], n[at])]
    if poor or len(groups) < 2:
        raise InputError(f"cohorts without spread: {', '.join(poor) or 'all'}", fix="leave out insufficient cohorts")
    rng = np.random.default_rng(seed)
    drawn = {name: replicate_rates(e[at], n[at], n_replicates, rng) for name, at in groups.items()}
    # The overall rate of a replicate is made of the same draws, so its uncertainty enters the critical value.
    words = sum(d.units for d in drawn.values())
    log_all = np.log(sum(d.rates * d.units for d in drawn.values()) / words)
    statistics, largest = {}, np.zeros(n_replicates)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, d in drawn.items():
            at = groups[name]
            rate, se = float(e[at].sum() / n[at].sum()), rate_standard_error(e[at], n[at]) or 0.0
            gap = math.log(rate) - math.log(e.sum() / n.sum())
            statistics[name] = gap * rate / se
            t = np.abs(np.log(d.rates) - log_all - gap) * d.rates / d.standard_errors
            largest = np.maximum(largest, np.where(np.isfinite(t), t, 0.0))
    return MaxT(float(np.quantile(largest, level)), statistics, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given: reject where one is at most alpha.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


def recording_bootstrap(
    values: ArrayLike,
    recordings: Sequence[str],
    statistic: Callable[[Floats], float],
    *,
    n_replicates: int = 1000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of any statistic of values, drawing whole recordings.

    Values may be +infinity (a missing output), never NaN; so may the bounds. Undefined below two recordings.
    """
    v = np.asarray(values, dtype=np.float64)
    if np.isnan(v).any():
        raise InputError("a value is NaN", fix="give a missing output as infinity")
    groups = label_groups(recordings, len(v))
    if len(groups) < 2:
        return undefined_interval(level)
    place = np.empty(len(v), dtype=np.int64)
    for i, at in enumerate(groups.values()):
        place[at] = i
    draws = speaker_draws(np.random.default_rng(seed), len(groups), n_replicates)
    return percentile_interval([statistic(np.repeat(v, k[place].astype(np.int64))) for b in draws for k in b], level)
