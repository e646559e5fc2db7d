from __future__ import annotations

import json
from pathlib import Path

import pytest
import runs

from earmark.bench import show
from earmark.bench.api import InputError
from earmark.bench.mistakes import Step
from earmark.bench.store import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return runs.build_results(tmp_path)


def shown(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> str:
    show.show(folder.path.parents[2], "latest")
    return capsys.readouterr().out


def line_of(text: str, *parts: str) -> str:
    return next(line for line in text.splitlines() if all(part in line for part in parts))


def test_numbers_come_with_intervals_and_missing_ones_with_a_word(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    row = line_of(shown(folder, capsys), "alpha", "12.5 [10.5, 15.5]")
    for part in ("180 [175, 185]", "∞", "0.0312 [0.0300, 0.0350]", "unsupported", "512", "ok"):
        assert part in row


def test_failed_and_unsupported_cells_are_rows_with_their_reason(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(folder, capsys)
    assert "failed: ValueError: the model broke" in line_of(text, "gamma")
    assert "unsupported: delta needs the package delta" in line_of(text, "delta ")


def test_cohorts_and_gaps_are_there_with_their_sizes(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(folder, capsys)
    assert "20.0 [15.0, 25.0]" in line_of(text, "alpha", "north", "12", "1,000")
    assert "fewer than 10 speakers" in line_of(text, "alpha", "west")
    gap = line_of(text, "north / south", "alpha")
    assert "100.0 [50.0, 160.0]" in gap
    assert "40.0" in gap
    assert "above chance" in gap


def test_off_a_terminal_the_tables_are_plain_text(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in shown(folder, capsys)


def test_text_from_tables_is_no_markup_and_no_escape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.build_results(tmp_path)
    folder.write_cells([runs.cell_row("good", plugin="[red]al[/red]", flags=["\x1b]0;x\x07"])])
    text = shown(folder, capsys)
    assert "[red]al[/red]" in text
    assert "\x1b" not in text


def test_json_is_the_flat_rows(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show.show(folder.path.parents[2], runs.RUN_ID, as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(runs.measurements())
    assert {row["run_id"] for row in rows} == {runs.RUN_ID}


@pytest.mark.parametrize(
    ("value", "null", "drawn"),
    [(1.0, 0.5, "████│█████"), (0.25, 1.0, "██       │"), (0.5, 0.5, "█████████│"), (-0.2, 1.0, "         │")],
)
def test_a_gap_is_drawn_beside_its_null(value: float, null: float, drawn: str) -> None:
    gap = runs.measurement("c", "gap_rel", value, scheme="s", cohort="*", null_q95=null)
    assert show.bar(gap, width=10) == drawn


def test_errors_shows_reference_over_hypothesis(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show.errors(folder.path.parents[2], "latest", cell="good", n=5)
    lines = capsys.readouterr().out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("u1 (anna): 1 S, 1 D, 1 I of 5"))
    assert lines[at + 1].split() == ["REF", "turn", "on", "the", "light", "please", "***"]
    assert lines[at + 2].split() == ["HYP", "turn", "**", "the", "night", "please", "now"]
    for word, mark in (("on", "D"), ("light", "S"), ("***", "I")):
        assert lines[at + 3][lines[at + 1].index(f" {word}") + 1] == mark
    assert any("four → for (1), light → night (1)" in line for line in lines)


def test_long_alignments_are_cut_into_lines_that_fit() -> None:
    steps = tuple(Step("equal", f"word{n}", f"word{n}") for n in range(50))
    lines = [line.plain for line in show.aligned(steps, 60)]
    assert max(map(len, lines)) <= 60
    words = [word for line in lines[::3] for word in line.split()[1:]]
    assert words == [step.reference for step in steps]


def test_errors_as_json_adds_up(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show.errors(folder.path.parents[2], "latest", cell="good", as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert found["errors"] == {"substitutions": 2, "deletions": 1, "insertions": 2, "reference_words": 9}


def test_a_cell_that_is_not_there_is_an_error(folder: RunFolder) -> None:
    with pytest.raises(InputError, match="no cell begins with 'zzz'"):
        show.errors(folder.path.parents[2], "latest", cell="zzz")


@pytest.mark.parametrize("cell", ["voice", "fell"])
def test_a_cell_without_transcripts_is_an_error(folder: RunFolder, cell: str) -> None:
    with pytest.raises(InputError, match="no recognition or conversation cell"):
        show.errors(folder.path.parents[2], "latest", cell=cell)


@pytest.mark.parametrize(
    ("task", "scheme", "stems", "title"),
    [
        ("recognition", "accent", ("wer_change", "gap_abs_change", "wer_cohort_max"), "change of WER in points"),
        ("verification", None, ("eer_change", "eer_gap_abs_change", "eer_cohort_max"), "change of EER in points"),
    ],
)
def test_a_repair_has_a_ledger(
    task: str, scheme: str | None, stems: tuple[str, str, str], title: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """For words under the scheme that was repaired for; for voices, which have none, under each measured."""
    change, gap, worst = stems
    folder = runs.build_results(tmp_path)
    cell = runs.cell_row("fixed", plugin="fixed", task=task, mitigation="game", scheme=scheme)
    folder.write_cells([runs.cell_row("was", plugin="was", task=task), cell])
    flags = ["bottom:north", "top:south", "leveled_down"]
    folder.write_measurements([
        runs.measurement("fixed", change, -0.0125, **runs.ci(-0.02, -0.01)),
        runs.measurement("fixed", change, -0.04, scheme="accent", cohort="north", **runs.ci(-0.06, -0.02)),
        runs.measurement("fixed", change, 0.01, scheme="accent", cohort="south", **runs.ci(-0.01, 0.03)),
        runs.measurement("fixed", gap, -0.05, scheme="accent", cohort="*", flags=flags, **runs.ci(-0.07, -0.03)),
        runs.measurement("fixed", worst, 0.2, scheme="accent", cohort="*"),
        runs.measurement("was", gap, 0.0, scheme="accent", cohort="*", flags=flags),
    ])  # fmt: skip
    text = shown(folder, capsys)
    assert f"repairs: {title}" in text
    table = text.split(title)[1]
    row = line_of(table, "north / south")
    numbers = ("fixed", "-4.00 [-6.00, -2.00]", "1.00 [-1.00, 3.00]", "-1.25 [-2.00, -1.00]", "-5.00 [-7.00, -3.00]")
    for part in (*numbers, "20.0", "leveled down"):
        assert part in row
    assert "was" not in table.split("worst / best")[1].split("leveled down")[0]
