"""Numbers of this commit's stored runs, a benchmark a metric and a parameter a model.

Each comes from the newest complete run of a clean checkout of this commit. Where there is none, or the run lacks the
metric, the benchmark is skipped: a missing number is never NaN.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from earmark.bench import provenance, query, registry

RESULTS = Path(os.environ.get("EARMARK_RESULTS", Path(__file__).resolve().parents[2] / "results"))
_NEWEST = """
    SELECT value FROM flat JOIN runs USING (run_id, suite)
    WHERE complete AND NOT runs.git_dirty AND runs.git_sha = ? AND plugin = ? AND metric = ? AND kind = 'measured'
      AND flat.scheme = 'all' AND cohort = 'all' AND mitigation IS NULL AND value IS NOT NULL
    ORDER BY run_id DESC, condition <> 'clean', device <> 'cpu', split <> 'measure', corpus, seed, cell LIMIT 1
"""


def models_of(*tasks: str) -> list[str]:
    """Names of the models of these tasks."""
    return sorted(name for name, spec in registry.models().items() if spec.task in tasks)


@cache
def commit() -> str | None:
    """The commit to read: that of the code which is imported, unless EARMARK_COMMIT names another."""
    return os.environ.get("EARMARK_COMMIT") or provenance.code().sha


@cache
def _tables() -> Any:
    return query.connect(RESULTS)


def stored(plugin: str, metric: str) -> float:
    """This commit's value; NotImplementedError, which asv takes for "skip", where there is none."""
    sha = commit()
    found = query.records(_tables(), _NEWEST, [sha, plugin, metric]) if sha else []
    if not found:
        raise NotImplementedError(f"no stored {metric} of {plugin} at commit {sha}")
    return float(found[0]["value"])


class _Stored:
    """Reads the value in ``setup``, where a benchmark can still be skipped."""

    metric: ClassVar[str]
    param_names: ClassVar = ["model"]
    version = "1"
    timeout = 120.0

    def setup(self, model: str) -> None:
        self.value = stored(model, self.metric)


class WordErrorRate(_Stored):
    """Corpus word error rate, as a fraction."""

    metric = "wer"
    unit = "errors per word"
    params: ClassVar = models_of("recognition")

    def track_wer(self, model: str) -> float:  # noqa: ARG002 - asv hands the parameter to every method
        return self.value


class EqualErrorRate(_Stored):
    """Equal error rate, as a fraction."""

    metric = "eer"
    unit = "share of trials"
    params: ClassVar = models_of("verification")

    def track_eer(self, model: str) -> float:  # noqa: ARG002
        return self.value


class StreamingRealTimeFactor(_Stored):
    """Processing time over audio, one stream."""

    metric = "rtf_streaming"
    unit = "s per s of audio"
    params: ClassVar = models_of("recognition", "conversation")

    def track_rtf_streaming(self, model: str) -> float:  # noqa: ARG002
        return self.value


class OfflineRealTimeFactor(_Stored):
    """Processing time over audio, one recording at a time."""

    metric = "rtf_offline"
    unit = "s per s of audio"
    params: ClassVar = models_of("verification")

    def track_rtf_offline(self, model: str) -> float:  # noqa: ARG002
        return self.value
