"""Steps over many nights: found where they were put, told with their notes, and nothing where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import runs
from typer.testing import CliRunner

from earmark.bench.annotations import FILE, read_annotations
from earmark.bench.api import InputError
from earmark.bench.cli import app
from earmark.bench.rows import Host
from earmark.bench.steps import detect, history, standing

WER = list(runs.NIGHTS)
nights = runs.build_nights


def test_a_step_is_found_where_it_was_put(tmp_path: Path) -> None:
    (series,) = history(nights(tmp_path, WER))
    (step,) = series.steps
    assert (step.index, step.run_id[:8], step.verdict, step.n_after) == (4, "20260105", "worse", 4)
    assert (step.before, step.after) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.13, abs=1e-3))
    assert step.relative == pytest.approx(0.3, abs=0.01)
    assert [point.value for point in series.points] == WER
    assert standing(series)


def test_noise_has_no_steps_and_small_ones_are_not_told(tmp_path: Path) -> None:
    assert detect([0.1, 0.101, 0.099, 0.1, 0.1005, 0.0995], "wer") == []
    assert detect([0.1] * 5 + [0.104] * 5, "wer") == []
    assert len(detect([0.1] * 5 + [0.104] * 5, "wer", threshold=0.03)) == 1


def test_better_is_a_matter_of_the_metric(tmp_path: Path) -> None:
    (series,) = history(nights(tmp_path, WER, metric="ccr"), metrics=["ccr"])
    assert series.steps[0].verdict == "better"  # a compute cost reduction, higher is better
    assert not standing(series)
    (back,) = history(nights(tmp_path / "b", WER[::-1]))
    assert back.steps[0].verdict == "better"


def test_notes_are_told_and_excuse(tmp_path: Path) -> None:
    results = nights(tmp_path, WER)
    (results / FILE).write_text(
        '[[annotation]]\nrun = "20260105"\nplugin = "alpha"\nmetric = "wer"\nnote = "a harder split"\nexpected = true\n'
        '[[annotation]]\nrun = "20260105"\nplugin = "beta"\nnote = "another model"\n',
        encoding="utf-8",
    )
    (series,) = history(results)
    assert (series.steps[0].notes, series.steps[0].expected) == (("a harder split",), True)
    assert not standing(series)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[annotation]]\nrun = '20260105'\n", "note: field required"),
        ("[[annotation]]\nnote = 'x'\n", "needs run, commit or at"),
        ("[[annotation]]\nrun = '20260105'\nnote = 'x'\nmodel = 'y'\n", "model: extra inputs"),
        ("[[note]]\n", "unknown table 'note'"),
        ("[[annotation\n", "no TOML"),
    ],
)
def test_bad_annotations_are_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)


def test_timings_are_a_series_a_machine_and_scores_are_not(tmp_path: Path) -> None:
    other = Host(id="xyz", cpu_model="Another CPU", n_cpus=2, memory_mib=4096)
    nights(tmp_path, [0.1, 0.1], metric="rtf_streaming", suite="one")
    results = nights(tmp_path, [0.2, 0.2], metric="rtf_streaming", suite="two", host=other)
    assert [len(series.points) for series in history(results)] == [2, 2]
    nights(tmp_path / "b", [0.1, 0.1], suite="one")
    results = nights(tmp_path / "b", [0.2, 0.2], suite="two", host=other)
    assert [len(series.points) for series in history(results)] == [4]
    assert [len(series.points) for series in history(results, suite="two")] == [2]


def test_the_command_tells_steps_and_fails_when_asked(tmp_path: Path) -> None:
    results = str(nights(tmp_path, WER))
    found = CliRunner().invoke(app, ["steps", "--results", results, "--fail-on-regression"])
    assert found.exit_code == 1
    assert "1 series of two runs or more, 1 steps, 1 ended worse" in found.stdout
    assert "10.0 → 13.0 % (+30.0 %) since 20260105" in found.stdout
    told = json.loads(CliRunner().invoke(app, ["steps", "--results", results, "--json"]).stdout)
    assert told[0]["steps"][0]["index"] == 4
    with pytest.raises(InputError, match="no metric"):
        history(tmp_path / "results", metrics=["werr"])
