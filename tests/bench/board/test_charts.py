from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import runs

from earmark.bench import report
from earmark.bench.board import charts
from earmark.bench.report import CellView, Group


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Group:
    return report.load(runs.build_results(tmp_path_factory.mktemp("charts"))).groups[0]


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")]


def test_the_tradeoff_names_axes_and_models(group: Group) -> None:
    found = texts(charts.tradeoff(group) or "")
    assert {"alpha", "beta", "WER (%)", "median user-perceived latency (ms)"} <= set(found)
    assert "gamma" not in found  # it failed: there is nothing to draw


def test_one_model_makes_no_tradeoff(group: Group) -> None:
    assert charts.tradeoff(replace(group, cells=group.cells[:1])) is None


def test_without_latency_the_real_time_factor_is_drawn(group: Group) -> None:
    cells = [CellView(v.cell, tuple(m for m in v.measurements if not m.metric.startswith("upl"))) for v in group.cells]
    assert "real-time factor" in texts(charts.tradeoff(replace(group, cells=tuple(cells))) or "")


def test_cohorts_are_drawn_by_name(group: Group) -> None:
    assert {"north", "south", "west"} <= set(texts(charts.cohort_dots(group, "accent") or ""))
    assert charts.cohort_dots(group, "dialect") is None


def test_too_many_cohorts_are_left_to_the_table(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MAX_DOTS", 2)
    assert charts.cohort_dots(group, "accent") is None


def test_names_are_escaped(group: Group) -> None:
    cells = [
        CellView(v.cell.model_copy(update={"plugin": f"<b>{n}&"}), v.measurements) for n, v in enumerate(group.cells)
    ]
    svg = charts.tradeoff(replace(group, cells=tuple(cells))) or ""
    assert "<b>" not in svg
    assert "<b>0&" in texts(svg)
