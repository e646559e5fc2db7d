from __future__ import annotations

from pathlib import Path

import pytest
import runs

from earmark.bench import report
from earmark.bench.report import CellView, RunView


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    return report.load(runs.build_results(tmp_path))


def named(view: RunView, cell: str) -> CellView:
    return next(found for found in view.cells if found.cell.cell == cell)


def test_cpu_and_gpu_are_never_in_one_group(view: RunView) -> None:
    assert [(group.task, group.device) for group in view.groups] == [
        ("recognition", "cpu"), ("recognition", "cuda"), ("verification", "cpu")
    ]  # fmt: skip
    for group in view.groups:
        assert {found.cell.device for found in group.cells} == {group.device}


def test_every_cell_is_in_exactly_one_group(view: RunView) -> None:
    assert sorted(c.cell.cell for g in view.groups for c in g.cells) == sorted(c.cell for c in runs.cells())


def test_the_best_comes_first_and_what_has_no_number_last(view: RunView) -> None:
    assert [found.label for found in view.groups[0].cells] == ["alpha", "beta", "gamma"]


def test_circumstances_that_differ_become_columns_and_the_others_a_line() -> None:
    cells = [runs.cell_row("a"), runs.cell_row("b", condition="snr0", options={"beam": 4}, device="cpu")]
    group = RunView(runs.run_row(), tuple(CellView(cell, ()) for cell in cells)).groups[0]
    assert group.varying == ("options", "condition")
    assert "condition" not in group.constants
    assert "chunk ms 120" in group.constants
    assert report.axis_text(cells[1], "options") == '{"beam": 4}'


def test_columns_nobody_asked_for_are_left_out(view: RunView) -> None:
    metrics = [column.metric for column in view.groups[0].columns]
    assert metrics[0] == "wer"
    assert "upl_final_p90" in metrics  # no value, but a row that says so
    assert "finalize_p50" not in metrics


def test_cohorts_come_worst_first_and_small_ones_last(view: RunView) -> None:
    accent, gender = named(view, "good").schemes
    assert [row.cohort for row in accent.cohorts] == ["north", "south", "west"]
    assert [row.cohort for row in gender.cohorts] == ["female", "male"]
    assert accent.pair == ("north", "south")


def test_a_gap_is_read_against_its_null(view: RunView) -> None:
    accent, gender = named(view, "good").schemes
    assert (accent.verdict, gender.verdict) == ("above chance", "within chance")
    assert report.gap_text(accent.gap) == {"null_q95": "40.0", "detectable": "60.0"}


def test_an_insufficient_pair_is_said_even_above_chance() -> None:
    gap = runs.measurement(
        "c", "gap_rel", 1.0, scheme="s", cohort="*", null_q95=0.5, status="insufficient", reason="small"
    )
    scheme = CellView(runs.cell_row("c"), (gap,)).schemes[0]
    assert scheme.verdict == "above chance; small"
    assert scheme.pair is None


def test_a_scheme_that_could_not_be_used_says_why(view: RunView) -> None:
    (dialect,) = named(view, "poor").schemes
    assert dialect.verdict == "the corpus has no column 'dialect'"


def test_a_repaired_model_is_named_with_its_repair() -> None:
    assert CellView(runs.cell_row("c", mitigation="ewc"), ()).label == "alpha + ewc"


def test_provenance_says_where_numbers_come_from(view: RunView) -> None:
    said = " ".join(view.provenance.values())
    for fact in (runs.RUN_ID, runs.SHA, "abc123abc123", "0.1.0", "basic-1", "earmark run tiny"):
        assert fact in said


def test_a_dirty_and_unfinished_run_is_called_so() -> None:
    facts = RunView(runs.run_row(git_dirty=True, finished_at=None, complete=False), ()).provenance
    assert "uncommitted" in facts["commit"]
    assert "incomplete" in facts["finished"]
