"""The table of what repairs of embedders changed over seeds, on a run that is written by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import runs
from typer.testing import CliRunner

from earmark.bench.api import InputError
from earmark.bench.metrics.verification import equal_error_rate
from earmark.bench.repaired import lines, table
from earmark.bench.store import Plan, RunFolder
from earmark.bench.suite import parse_suite
from earmark.bench.tables import Writer

NAMES = [f"s{i:02}" for i in range(16)]
PAIRS = list(itertools.combinations_with_replacement(NAMES, 2))
LIFT = {"": 0.0, "better": 1.0, "worse": -0.5}
Scores = dict[tuple[str, int], np.ndarray]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Scores]:
    """Three seeds of a model and two repairs of it; the second seed lacks one trial that the others have."""
    return written(tmp_path_factory.mktemp("run") / "run", range(3))


def written(path: Path, seeds: Sequence[int], cohorts: Sequence[str] = ("half",)) -> tuple[RunFolder, Scores]:
    folder, scores, planned, rows = RunFolder(path), {}, [], []
    for seed in seeds:
        noise = np.random.default_rng(seed).normal(0.0, 1.0, len(PAIRS))
        for number, (repair, lift) in enumerate(LIFT.items()):
            cell = runs.cell_row(f"{seed}{number}" * 8, task="verification", seed=seed)
            scores[repair, seed] = noise + np.array([(1.5 + lift) * (a == b) for a, b in PAIRS])
            observe(folder, cell.cell, scores[repair, seed], skip=seed == 1)
            repaired = {"repair": repair, "repair_key": repair, "baseline": f"{seed}0" * 8} if repair else {}
            planned.append(runs.planned(cell, cohorts=cohorts, **repaired))
            rows.append(cell)
    suite = parse_suite(
        {
            "schema": 1, "name": "unit", "train": [{"id": "v", "task": "verification", "plugins": ["voice"]}],
            "measure": [{"of": ["v"], "corpus": ["c"]}],
        },
        "unit",
    )  # fmt: skip
    folder.write_plan(Plan(suite, tuple(planned)))
    folder.write_cells(rows)
    return folder, scores


def observe(folder: RunFolder, cell: str, scores: np.ndarray, *, skip: bool) -> None:
    with Writer(folder.observations(cell), cell) as writer:
        for i, name in enumerate(NAMES):
            writer.add(
                "embeddings", utterance_id=name, speaker=name, vector=[1.0], audio_s=1.0, outcome="ok",
                metadata=json.dumps({"half": "ab"[i % 2]}),
            )  # fmt: skip
        for place, ((one, two), score) in enumerate(zip(PAIRS, scores, strict=True)):
            if not (skip and place == 1):
                writer.add(
                    "trials", enroll_id=one, test_id=two, enroll_speaker=one, test_speaker=two, target=one == two,
                    score=float(score), list_name="built", pairing="any", session_relation="different",
                    text_relation="different",
                )  # fmt: skip


def eer(scores: np.ndarray) -> float:
    kept = np.arange(len(PAIRS)) != 1
    same = np.array([one == two for one, two in PAIRS])
    return equal_error_rate(scores[same & kept], scores[~same & kept])


def test_every_seed_stands_beside_the_model_as_it_was(run: tuple[RunFolder, Scores]) -> None:
    folder, scores = run
    found = {line.repair: line.found for line in lines([folder], n_replicates=5)}
    assert set(found) == {"better", "worse"}
    for repair, changes in found.items():
        assert changes.overall.before == pytest.approx([eer(scores["", seed]) for seed in range(3)])
        assert changes.overall.after == pytest.approx([eer(scores[repair, seed]) for seed in range(3)])
        assert set(changes.cohorts) == {"a", "b"}


def test_against_another_repair_that_one_is_before(run: tuple[RunFolder, Scores]) -> None:
    folder, scores = run
    (line,) = lines([folder], against="worse", n_replicates=5)
    assert line.repair == "better"
    assert line.found.overall.before == pytest.approx([eer(scores["worse", seed]) for seed in range(3)])
    with pytest.raises(InputError, match="no repair is called 'wrose'; there is better, worse"):
        list(lines([folder], against="wrose"))


def test_seeds_may_lie_in_runs_of_their_own(run: tuple[RunFolder, Scores], tmp_path: Path) -> None:
    folder, _ = run
    apart = [written(tmp_path / str(seed), [seed])[0] for seed in range(3)]
    assert list(lines(apart, n_replicates=5)) == list(lines([folder], n_replicates=5))
    assert list(lines([folder, *apart], n_replicates=5)) == list(lines([folder], n_replicates=5))


@pytest.mark.parametrize("nothing", [(), ("auto",), ("elsewhere",)])
def test_speakers_that_nothing_divides_are_one_group(tmp_path: Path, nothing: tuple[str, ...]) -> None:
    folder, scores = written(tmp_path / "run", [0], nothing)
    found = {line.repair: line for line in lines([folder], n_replicates=5)}
    assert {(line.scheme, line.found.gap) for line in found.values()} == {("all", None)}
    everything = np.array([one == two for one, two in PAIRS])
    expected = equal_error_rate(scores["better", 0][everything], scores["better", 0][~everything])
    assert found["better"].found.overall.after == pytest.approx([expected])


def test_the_table_gives_percent_by_seed_and_the_change_of_the_mean(run: tuple[RunFolder, Scores]) -> None:
    folder, scores = run
    text = table(list(lines([folder], n_replicates=5)))
    before, after = ([100 * eer(scores[name, seed]) for seed in range(3)] for name in ("", "better"))
    assert ", ".join(f"{b:.1f} > {a:.1f}" for b, a in zip(before, after, strict=True)) in text
    assert f"{100 * (np.mean(after) / np.mean(before) - 1):+.0f} %" in text


def test_from_the_command_line_bad_input_is_one_line(tmp_path: Path) -> None:
    import typer

    from earmark.bench.repaired import main

    app = typer.Typer()
    app.command()(main)
    ended = CliRunner().invoke(app, ["nowhere", "--results", str(tmp_path)])
    assert ended.exit_code == 2
    assert "Traceback" not in ended.output
