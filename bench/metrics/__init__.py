"""Metrics: pure functions over plain data, defined in `docs/metrics.md`.

What plugins and users need for statements about cohorts can be imported from here; the files say the rest. Names are
loaded when they are asked for, so that reading a table of names costs no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earmark.bench.metrics.adjusted import AdjustedGap, adjusted_gap
    from earmark.bench.metrics.cohorts import CohortRate, cohort_gap, cohort_rates
    from earmark.bench.metrics.gaps import Gap, Measure, debiased_spread
    from earmark.bench.metrics.ledger import PairedCohorts, paired_cohorts
    from earmark.bench.metrics.paired import Difference, paired_difference
    from earmark.bench.metrics.percentiles import cohort_percentiles, percentile_bootstrap
    from earmark.bench.metrics.resampling import Interval
    from earmark.bench.metrics.simultaneous import MaxT, Null, holm, max_t, permutation_null
    from earmark.bench.metrics.statistics import SpeakerSums, per_speaker, rate_standard_error, speaker_bootstrap

__all__ = [
    "AdjustedGap",
    "CohortRate",
    "Difference",
    "Gap",
    "Interval",
    "MaxT",
    "Measure",
    "Null",
    "PairedCohorts",
    "SpeakerSums",
    "adjusted_gap",
    "cohort_gap",
    "cohort_percentiles",
    "cohort_rates",
    "debiased_spread",
    "holm",
    "max_t",
    "paired_cohorts",
    "paired_difference",
    "per_speaker",
    "percentile_bootstrap",
    "permutation_null",
    "rate_standard_error",
    "speaker_bootstrap",
]

_FILES = {
    "adjusted": ("AdjustedGap", "adjusted_gap"),
    "cohorts": ("CohortRate", "cohort_gap", "cohort_rates"),
    "gaps": ("Gap", "Measure", "debiased_spread"),
    "ledger": ("PairedCohorts", "paired_cohorts"),
    "paired": ("Difference", "paired_difference"),
    "percentiles": ("cohort_percentiles", "percentile_bootstrap"),
    "resampling": ("Interval",),
    "simultaneous": ("MaxT", "Null", "holm", "max_t", "permutation_null"),
    "statistics": ("SpeakerSums", "per_speaker", "rate_standard_error", "speaker_bootstrap"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
