from __future__ import annotations

from pathlib import Path

import pytest

from earmark.bench.api import InputError
from earmark.bench.metrics.cohorts import EER_GAPS, WER_GAPS
from earmark.bench.metrics.gaps import gap_names
from earmark.bench.metrics.names import METRICS, metric, metrics_table

EMISSIONS = ("endpoint_emission", "last_word_emission", "startpoint_emission", "first_word_emission")
PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_keys_are_the_names() -> None:
    assert all(key == row.name for key, row in METRICS.items())


@pytest.mark.parametrize(
    ("name", "unit", "better", "kind"),
    [
        ("wer", "1", "lower", "quality"),
        ("upl_final_p99", "ms", "lower", "timing"),
        ("emission_p90", "ms", "lower", "quality"),
        ("turn_count_accuracy", "1", "higher", "quality"),
        ("ccr", "1", "higher", "compute"),
        ("gate_rate_gap_rel", "1", "none", "compute"),
        ("macs_per_audio_second_gap_abs", "MAC/s", "none", "compute"),
        ("upl_final_p95_gap_ratio", "1", "lower", "timing"),
        ("peak_rss_mib", "MiB", "lower", "memory"),
        ("bottom_share_speakers", "1", "none", "quality"),
    ],
)
def test_rows_of_each_sort(name: str, unit: str, better: str, kind: str) -> None:
    row = metric(name)
    assert (row.unit, row.better, row.kind) == (unit, better, kind)


def test_percentiles_are_spelled_out() -> None:
    named = {
        f"{stem}_p{q}"
        for stem, qs in {
            "upl_final": (50, 90, 95, 99),
            "upl_first": (50, 90),
            "emission": (50, 90),
            "first_token": (50, 90),
            "finalize": (50, 90),
            "endpoint": (50, 90),
            "startpoint": (50, 90),
            **dict.fromkeys(EMISSIONS, (50, 90)),
            "compute_chunk": (50, 95),
            "device_chunk": (50, 95),
        }.items()
        for q in qs
    }
    named |= {f"{stem}_mean" for stem in EMISSIONS}
    assert {name for name, row in METRICS.items() if row.unit == "ms" and "_gap_" not in name} == named


def test_every_gap_that_is_computed_has_a_name() -> None:
    others = {name for metric in ("upl_final_p95", "macs_per_audio_second", "gate_rate") for name in gap_names(metric)}
    assert {*WER_GAPS, *EER_GAPS, *others} <= METRICS.keys()
    gaps = {name for name in METRICS if "gap_" in name and not name.endswith(("_change", "_adjusted"))}
    assert gaps == {name for name in {*WER_GAPS, *EER_GAPS, *others} if "gap_" in name}


def test_no_two_metrics_share_a_description() -> None:
    assert len({row.description for row in METRICS.values()}) == len(METRICS)


def test_table_is_closed() -> None:
    with pytest.raises(TypeError):
        METRICS["new"] = metric("wer")  # type: ignore[index]


def test_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(InputError, match=r"'upl_p95'.*upl_final_p95"):
        metric("upl_p95")


def test_page_holds_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    between = text.split("<!-- metrics: begin -->\n")[1].split("<!-- metrics: end -->")[0]
    assert between.strip() == metrics_table().strip()
