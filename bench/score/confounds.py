"""Whether a gap is still there between recordings that are alike: the ratio of the pair's rates at equal covariates.

Speakers of one cohort may have spoken longer, into worse microphones or somewhere else. What of that a corpus tells is
adjusted for: how long a recording is, and the columns of ``NUMBERS`` and ``CATEGORIES`` that it has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from earmark.bench.metrics.adjusted import AdjustedGap, adjusted_gap
from earmark.bench.metrics.words import WordErrors
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme

METRIC = "gap_ratio_adjusted"
NUMBERS = ("snr_db",)
CATEGORIES = ("device", "microphone", "site")
MOST_CATEGORIES = 10
KNOWN_SHARE = 0.5
"""Of the recordings, how many must have a column's value for it to be adjusted for."""

Values = list[float | str | None]


@dataclass(frozen=True)
class Recordings:
    """A cell's utterances with the errors of each."""

    utterances: Sequence[Mapping[str, Any]]
    errors: Sequence[WordErrors]

    @cached_property
    def covariates(self) -> Mapping[str, Values]:
        """By name, what is known of each recording: numbers, or categories as text. Durations are on the logarithm."""
        told = [json.loads(row["metadata"] or "{}") for row in self.utterances]
        found: dict[str, Values] = {"duration": [_log(row["audio_s"]) for row in self.utterances]}
        found |= {name: [_number(one.get(name)) for one in told] for name in NUMBERS}
        found |= {name: [one.get(name) or None for one in told] for name in CATEGORIES}
        return {name: values for name, values in found.items() if _informs(values)}

    def adjusted(self, scheme: Scheme, pair: tuple[str, str]) -> AdjustedGap:
        """The ratio of a pair's word error rates, as it is and at equal covariates, over speakers with a cohort."""
        at = [i for i, row in enumerate(self.utterances) if row["speaker"] in scheme.cohort_of]
        speakers = [self.utterances[i]["speaker"] for i in at]
        return adjusted_gap(
            [self.errors[i].errors for i in at],
            [self.errors[i].reference_words for i in at],
            speakers,
            [scheme.cohort_of[speaker] for speaker in speakers],
            {n: [values[i] for i in at] for n, values in self.covariates.items() if n != scheme.name},
            pair=pair,
        )


def adjusted_row(sheet: Sheet, scheme: Scheme, pair: tuple[str, str], recordings: Recordings) -> Measurement:
    """The row that says how much of a gap is left at equal covariates; its flags name pair and covariates."""
    found = recordings.adjusted(scheme, pair)
    fields: dict[str, Any] = {
        "scheme": scheme.name,
        "cohort": "*",
        "n": found.n_rows,
        "n_unit": "utterances",
        "n_speakers": found.n_speakers,
        "coverage": found.n_rows / max(found.n_rows + found.n_left_out, 1),
        "normalizer": sheet.normalizer,
        "flags": [f"bottom:{pair[0]}", f"top:{pair[1]}", f"adjusted_for:{','.join(found.covariates) or 'nothing'}"],
    }
    value = found.adjusted.value
    if value is None:
        return sheet.missing(METRIC, found.status, found.reason, **fields)
    return sheet.row(METRIC, value, interval=found.adjusted.interval, **fields)


def _informs(values: Values) -> bool:
    """Whether something can be adjusted for it: known often enough, of more than one value, of few if categories."""
    known = [value for value in values if value is not None]
    different = set(known)
    few = len(different) <= MOST_CATEGORIES or not any(isinstance(value, str) for value in different)
    return len(different) > 1 and few and len(known) >= KNOWN_SHARE * len(values)


def _log(duration_s: float | None) -> float | None:
    return math.log(duration_s) if duration_s else None


def _number(text: Any) -> float | None:
    try:
        found = float(text)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
