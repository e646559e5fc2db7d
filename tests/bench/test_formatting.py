from __future__ import annotations

import pytest
import runs

from earmark.bench import formatting
from earmark.bench.metrics.names import METRICS


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("wer", 0.1234, "12.3"), ("wer", 0.0123, "1.23"), ("wer", 0.0, "0.00"), ("wer", 1.25, "125.0"),
        ("eer", 0.09949, "9.95"), ("eer", 0.09951, "10.0"), ("gap_rel", -0.5, "-50.0"),
        ("gap_ratio", 1.5, "1.50"), ("fnmr_ratio_at_eer", 1.5, "1.50"), ("cllr", 0.3443609, "0.344"),
        ("garbe_at_fmr_1pct", 0.25, "0.250"), ("min_dcf_p01", 0.43215, "0.432"), ("rtf_streaming", 0.031254, "0.0313"),
        ("rtf_streaming", 1.2, "1.20"), ("upl_final_p50", 99.96, "100.0"), ("upl_final_p50", 312.4, "312"),
        ("emission_p50", -40.0, "-40.0"), ("macs_per_audio_second", 1.25e9, "1.25 G"),
        ("macs_per_audio_second", 38_400_000, "38.4 M"), ("n_parameters", 950, "950"), ("peak_rss_mib", 511.6, "512"),
    ],
)  # fmt: skip
def test_a_number_has_the_digits_that_its_metric_bears(metric: str, value: float, text: str) -> None:
    assert formatting.number(metric, value) == text


@pytest.mark.parametrize(
    ("metric", "unit"),
    [("wer", "%"), ("upl_final_p90", "ms"), ("rtf_streaming", ""), ("gap_ratio", ""), ("peak_rss_mib", "MiB"),
     ("macs_per_audio_second", "MAC/s"), ("n_parameters", ""), ("gap_rel", "%"), ("min_dcf_p05", "")],
)  # fmt: skip
def test_the_unit_for_a_heading(metric: str, unit: str) -> None:
    assert formatting.unit(metric) == unit


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_printed(metric: str) -> None:
    assert formatting.number(metric, 0.5) != ""


def test_an_interval_has_the_decimals_of_its_value() -> None:
    row = runs.measurement("c", "wer", 0.12, **runs.ci(0.0912, 0.151))
    assert formatting.with_interval(row) == "12.0 [9.1, 15.1]"
    assert formatting.interval(row) == "[9.1, 15.1]"


@pytest.mark.parametrize(
    ("status", "text"),
    [("unbounded", "∞"), ("unsupported", "unsupported"), ("failed", "failed"), ("out_of_memory", "out of memory")],
)
def test_a_missing_value_says_why(status: str, text: str) -> None:
    assert formatting.with_interval(runs.measurement("c", "wer", None, status=status)) == text


def test_what_was_not_asked_for_is_a_dash() -> None:
    assert formatting.with_interval(None) == "–"


@pytest.mark.parametrize("bad", ["\x1b[31m", "a\nb", "a\tb", "\u202eabc", "\x9b31m", "\u2028"])
def test_text_from_tables_can_not_steer_a_terminal(bad: str) -> None:
    assert formatting.clean(bad).isprintable()
    assert formatting.clean("naïve 語 é") == "naïve 語 é"
