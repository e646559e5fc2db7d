from __future__ import annotations

from pathlib import Path

import pytest
import runs

from earmark.bench import query
from earmark.bench.api import InputError
from earmark.bench.rows import Cell, Measurement, Run
from earmark.bench.store import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return runs.build_results(tmp_path)


def results_of(folder: RunFolder) -> Path:
    return folder.path.parents[2]


def with_id(folder: RunFolder, run_id: str, suite: str = runs.SUITE) -> RunFolder:
    return runs.build_results(results_of(folder).parent, run=runs.run_row(run_id=run_id, suite=suite))


def one(connection: object, sql: str, *parameters: object) -> object:
    return connection.execute(sql, list(parameters)).fetchone()[0]  # type: ignore[attr-defined]


def test_every_stored_row_is_in_its_table(folder: RunFolder) -> None:
    connection = query.connect(results_of(folder))
    assert one(connection, "SELECT count(*) FROM runs") == 1
    assert one(connection, "SELECT count(*) FROM cells") == len(runs.cells())
    assert one(connection, "SELECT count(*) FROM measurements") == len(runs.measurements())


def test_flat_has_every_column_of_a_cell_and_a_measurement(folder: RunFolder) -> None:
    row = query.flat_rows(folder)[0]
    for name in Measurement.model_fields:
        assert name in row
    for name in Cell.model_fields:
        assert (f"cell_{name}" if name != "cell" and name in Measurement.model_fields else name) in row
    assert (row["run_id"], row["suite"], row["git_sha"]) == (runs.RUN_ID, runs.SUITE, runs.SHA)
    assert (row["host_id"], row["cpu_model"], row["options"]) == ("abc123abc123", "A CPU", {})


def test_flat_rows_say_what_was_stored(folder: RunFolder) -> None:
    rows = {(r["cell"], r["scheme"], r["cohort"], r["metric"]): r for r in query.flat_rows(folder)}
    assert len(rows) == len(runs.measurements())
    for stored in runs.measurements():
        found = rows[stored.cell, stored.scheme, stored.cohort, stored.metric]
        assert {name: found[name] for name in Measurement.model_fields} == stored.model_dump()


def test_a_cell_without_measurements_keeps_a_row(folder: RunFolder) -> None:
    folder.write_measurements([])
    rows = query.flat_rows(folder)
    assert [row["cell"] for row in rows] == sorted(cell.cell for cell in runs.cells())
    assert {row["cell"]: row["status"] for row in rows}["fell"] == "failed"
    assert all(row["metric"] is None for row in rows)


@pytest.mark.parametrize("make", [False, True])
def test_no_results_are_empty_tables(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "results").mkdir()
    connection = query.connect(tmp_path / "results")
    assert [one(connection, f"SELECT count(*) FROM {t}") for t in ("runs", "cells", "measurements", "flat")] == [0] * 4


def test_a_run_that_has_just_begun_has_no_cells(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "results" / "v1" / "tiny" / runs.RUN_ID)
    folder.write_run(runs.run_row(complete=False, finished_at=None))
    connection = query.connect(tmp_path / "results")
    assert (one(connection, "SELECT count(*) FROM runs"), one(connection, "SELECT count(*) FROM flat")) == (1, 0)


def test_a_folder_name_is_no_pattern(tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path / "a[1]*?")
    assert len(query.flat_rows(folder)) == len(runs.measurements())


def test_values_are_parameters(folder: RunFolder) -> None:
    connection = query.connect(results_of(folder))
    hostile = "x'; DROP TABLE cells; --"
    assert query.records(connection, "SELECT cell FROM cells WHERE plugin = ?", [hostile]) == []
    assert one(connection, "SELECT count(*) FROM cells") == len(runs.cells())


def test_the_database_reads_nothing_else_afterwards(folder: RunFolder) -> None:
    connection = query.connect(results_of(folder))
    with pytest.raises(Exception, match="disabled"):
        connection.execute("SELECT * FROM read_text(?)", [str(folder.path / "run.json")])


def test_a_broken_line_is_named(folder: RunFolder) -> None:
    path = folder.path / "measurements.jsonl"
    path.write_text(path.read_text() + '{"cell": \n')
    with pytest.raises(InputError, match=f"measurements.jsonl:{len(runs.measurements()) + 1}"):
        query.connect(results_of(folder))


def test_column_types_follow_the_rows() -> None:
    types = query.columns(Measurement)
    assert {types[n] for n in ("value", "ci_low", "coverage")} == {"DOUBLE"}
    assert (types["n"], types["flags"], types["status"]) == ("BIGINT", "VARCHAR[]", "VARCHAR")
    assert (query.columns(Cell)["options"], query.columns(Run)["complete"]) == ("JSON", "BOOLEAN")


# --- finding runs -------------------------------------------------------------------------------------------------


def test_latest_is_the_newest_across_suites(folder: RunFolder) -> None:
    newer = with_id(folder, "20270101T000000Z-abc123-7654321", "other")
    results = results_of(folder)
    assert query.find_run(results, "latest") == newer.path
    assert query.newest_run(results, runs.SUITE) == folder.path


@pytest.mark.parametrize("text", [runs.RUN_ID, "2026", "20260102T03", f"{runs.SUITE}/{runs.RUN_ID}"])
def test_a_run_is_found_by_what_names_only_it(folder: RunFolder, text: str) -> None:
    with_id(folder, "20270101T000000Z-abc123-7654321")
    assert query.find_run(results_of(folder), text) == folder.path


def test_a_run_is_found_by_its_folder(folder: RunFolder) -> None:
    assert query.find_run(Path("elsewhere"), str(folder.path)) == folder.path


def test_an_id_that_begins_another_id_is_that_run(folder: RunFolder) -> None:
    with_id(folder, f"{runs.RUN_ID}-2")
    assert query.find_run(results_of(folder), runs.RUN_ID) == folder.path


def test_two_runs_of_one_beginning_are_both_named(folder: RunFolder) -> None:
    with_id(folder, f"{runs.RUN_ID}-2")
    with pytest.raises(InputError, match="2 runs answer") as error:
        query.find_run(results_of(folder), "2026")
    assert error.value.fix.count(runs.RUN_ID) == 2


@pytest.mark.parametrize("text", ["", "20260102T030405Z-abc123-0123457", "nonsense"])
def test_an_unknown_run_is_told_the_nearest(folder: RunFolder, text: str) -> None:
    with pytest.raises(InputError, match="no run answers") as error:
        query.find_run(results_of(folder), text)
    assert runs.RUN_ID in error.value.fix


@pytest.mark.parametrize("text", ["latest", "2026"])
def test_without_runs_the_error_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="earmark run"):
        query.find_run(tmp_path, text)
