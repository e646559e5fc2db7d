"""Rankings that hang on a choice of rule are named, others are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import runs
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench import report, show
from earmark.bench.linter import VARIANTS, flips
from earmark.bench.report import CellView, Group
from earmark.bench.rows import Cell
from earmark.bench.store import RunFolder


def view(cell: Cell, **values: float) -> CellView:
    return CellView(cell, tuple(runs.measurement(cell.cell, name, value) for name, value in values.items()))


def group(*views: CellView, task: str = "recognition") -> Group:
    return Group(task, "toy", "measure", "cpu", views)


ALPHA, BETA = runs.cell_row("a", plugin="alpha"), runs.cell_row("b", plugin="beta")


def test_a_flip_is_told_with_its_numbers() -> None:
    found = flips(group(view(ALPHA, wer=0.10, wer_raw=0.31), view(BETA, wer=0.104, wer_raw=0.30)))
    assert [flip.text for flip in found] == [
        "ranking hangs on the rule: alpha beats beta by wer (10.0 and 10.4 %) and loses by wer_raw (31.0 and 30.0 %)"
    ]


def test_the_same_order_and_ties_are_no_flip() -> None:
    assert not flips(group(view(ALPHA, wer=0.10, wer_raw=0.30), view(BETA, wer=0.104, wer_raw=0.31)))
    assert not flips(group(view(ALPHA, wer=0.10, wer_raw=0.30), view(BETA, wer=0.104, wer_raw=0.30)))
    assert not flips(group(view(ALPHA, wer=0.10, wer_raw=0.31), view(BETA, wer=0.10, wer_raw=0.30)))
    assert not flips(group(view(ALPHA, wer=0.10), view(BETA, wer=0.104, wer_raw=0.30)))


def test_models_are_ranked_under_the_same_circumstances_only() -> None:
    noisy = runs.cell_row("b", plugin="beta", condition="snr0")
    other = runs.cell_row("b", plugin="beta", seed=1)
    for cell in (noisy, other):
        assert not flips(group(view(ALPHA, wer=0.10, wer_raw=0.31), view(cell, wer=0.104, wer_raw=0.30)))


def test_variants_of_one_model_are_told_apart() -> None:
    one, two = (runs.cell_row(name, options={"beam": width}) for name, width in (("a", 1), ("b", 8)))
    (flip,) = flips(group(view(one, wer=0.2, wer_utterance_mean=0.3), view(two, wer=0.25, wer_utterance_mean=0.29)))
    assert (flip.better, flip.worse) == ('alpha ({"beam": 1})', 'alpha ({"beam": 8})')


def test_three_rules_of_the_equal_error_rate() -> None:
    cells = [runs.cell_row(n, plugin=n, task="verification", chunk_ms=None, pacing="offline") for n in ("a", "b")]
    rates = [{"eer": 0.1, "eer_hull": 0.09, "eer_nearest": 0.12}, {"eer": 0.11, "eer_hull": 0.08, "eer_nearest": 0.13}]
    views = [view(cell, **values) for cell, values in zip(cells, rates, strict=True)]
    assert [flip.variant for flip in flips(group(*views, task="verification"))] == ["eer_hull"]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6, unique=True))
def test_a_rising_map_of_the_headline_never_flips(values: list[float]) -> None:
    views = [
        view(runs.cell_row(str(i), plugin=f"m{i}"), wer=value, **dict.fromkeys(VARIANTS["wer"], round(value / 2, 12)))
        for i, value in enumerate(values)
    ]
    assert not flips(group(*views))


def test_show_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.build_results(tmp_path)
    rows = [*runs.measurements(), runs.measurement("good", "wer_raw", 0.5), runs.measurement("poor", "wer_raw", 0.4)]
    folder.write_measurements(rows)
    show.print_rendered(show.render(report.load(RunFolder(folder.path))))
    assert "alpha beats beta by wer (12.5 and 25.0 %) and loses by wer_raw (50.0 and 40.0 %)" in capsys.readouterr().out
