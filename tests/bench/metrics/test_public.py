"""What can be imported from ``earmark.bench.metrics`` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from earmark.bench import metrics


def test_every_public_name_is_there_once() -> None:
    assert sorted(metrics._FILE_OF) == sorted(metrics.__all__)
    for name in metrics.__all__:
        assert getattr(metrics, name).__name__ == name
    with pytest.raises(AttributeError, match="'cohort_gaps'"):
        _ = metrics.cohort_gaps  # type: ignore[attr-defined]


def test_reading_the_names_loads_no_arrays() -> None:
    code = "import sys; from earmark.bench.metrics.names import METRICS; assert 'numpy' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
