from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import boards
import pytest
import runs

from earmark.bench.api import InputError
from earmark.bench.board import build_board, site
from earmark.bench.rows import Host
from earmark.bench.store import RunFolder, run_folders

SCRIPTS = Path(site.__file__).parent / "site"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runs.build_results(tmp_path)
    return boards.build(tmp_path / "results", tmp_path / "page" / "index.html", monkeypatch)


def test_the_policy_runs_one_script_by_its_hash_and_fetches_nothing(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = html.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0].replace("&#39;", "'")
    assert f"script-src 'strict-dynamic' 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy  # what isn't named is refused, by default-src


def test_nothing_in_the_page_points_out_of_it(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    found = set(re.findall(r"https?://[\w./-]+", html))
    assert found <= {
        "http://www.w3.org/2000/svg",
        "https://vega.github.io/schema/vega-lite/v6.json",
    }  # names, not loads
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b", html)


def test_our_scripts_never_read_text_as_markup() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")}
    assert sources.keys() == {f"{name}.js" for name in site._ORDER}
    for name, text in sources.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text), (
            name
        )


def test_every_row_of_the_tables_is_on_the_page(page: Path, tmp_path: Path) -> None:
    (folder,) = run_folders(tmp_path / "results")
    index = boards.data(page)
    cells = boards.expanded(index["cells"]["cell"], None)
    numbers = boards.rows(index["numbers"]) + boards.rows(boards.data(page, f"run-{runs.RUN_ID}")["numbers"])
    stored = folder.read_measurements()
    key = ("cell", "scheme", "cohort", "metric")
    shown = {(cells[row["cell"]], row["scheme"], row["cohort"], row["metric"]): row for row in numbers}
    assert len(numbers) == len(shown) == len(stored)
    for row in stored:
        told = row.model_dump(exclude={"cell", "unit", "better"})
        assert {name: shown[tuple(getattr(row, k) for k in key)][name] for name in told} == told


def test_statuses_are_told_and_devices_kept_apart(page: Path) -> None:
    cells = boards.data(page)["cells"]
    assert boards.expanded(cells["status"], None) == ["failed", "ok", "ok", "unsupported", "ok", "ok"]
    assert runs.LACKING in boards.expanded(cells["reason"], None)
    assert boards.expanded(cells["device"], None).count("cuda") == 1


def test_a_cell_is_told_once_and_again_when_it_changed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, data = tmp_path / "results", page.parent / "index-data"
    (first,) = data.glob("cell-*good-*.js")
    made = first.stat().st_mtime_ns
    boards.build(results, page, monkeypatch)
    assert first.stat().st_mtime_ns == made
    (folder,) = run_folders(results)
    table = folder.observations("good") / "tokens.parquet"
    table.write_bytes((folder.observations("good") / "utterances.parquet").read_bytes())
    monkeypatch.setattr(site.recordings, "cell_page", lambda *_: {"utterances": None})
    boards.build(results, page, monkeypatch)
    (second,) = data.glob("cell-*good-*.js")
    assert second != first
    assert not first.exists()


def test_files_that_are_not_ours_stay(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = page.parent / "index-data" / "notes.js"
    other.write_text("mine")
    boards.build(tmp_path / "results", page, monkeypatch)
    assert other.read_text() == "mine"


def test_the_newest_complete_run_stands_for_its_suite() -> None:
    ids = [f"2026010{n}T000000Z-abc123-0123456" for n in range(1, 5)]
    rows = [runs.run_row(run_id=ids[0]), runs.run_row(run_id=ids[1]), runs.run_row(run_id=ids[2], complete=False)]
    assert site.newest(rows, [{0}] * 3) == [False, True, False]
    elsewhere = runs.run_row(
        run_id=ids[3], complete=False, host=Host(id="f" * 12, cpu_model="B", n_cpus=1, memory_mib=1)
    )
    assert site.newest([*rows, elsewhere], [{0}] * 4) == [False, True, False, True]


def test_runs_of_other_seeds_stand_beside_one_another_until_each_was_run_anew() -> None:
    ids = [f"2026010{n}T000000Z-abc123-0123456" for n in range(1, 5)]
    rows = [runs.run_row(run_id=name) for name in ids]
    assert site.newest(rows[:3], [{0}, {1}, {2}]) == [True, True, True]
    assert site.newest(rows[:2], [{0, 1}, {1}]) == [True, True]  # nobody else has seed 0
    assert site.newest(rows, [{0}, {1, 2}, {1}, {2}]) == [True, False, True, True]
    assert site.newest(rows[:2], [set(), {0}]) == [True, True]  # nothing was measured yet


def test_nothing_to_show_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no runs are stored"):
        build_board(tmp_path, tmp_path / "index.html")


def test_a_run_that_has_just_begun_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RunFolder(tmp_path / "results" / "v1" / "tiny" / runs.RUN_ID).write_run(
        runs.run_row(complete=False, finished_at=None)
    )
    page = boards.build(tmp_path / "results", tmp_path, monkeypatch)
    assert boards.data(page)["numbers"]["n_rows"] == 0


@pytest.mark.slow
def test_building_a_site_loads_no_torch(tmp_path: Path) -> None:
    runs.build_results(tmp_path)
    code = (
        "import sys; from pathlib import Path; from earmark.bench.board import build_board;"
        "build_board(Path(sys.argv[1]), Path(sys.argv[2])); sys.exit('torch' in sys.modules)"
    )
    paths = [str(tmp_path / "results"), str(tmp_path / "page.html")]
    assert subprocess.run([sys.executable, "-c", code, *paths], check=False).returncode == 0
    assert (tmp_path / "page-data" / "vega.LICENSES.txt").is_file()
    assert "vegaEmbed" in (tmp_path / "page-data" / "vega.js").read_text(encoding="utf-8")


def test_a_run_that_cannot_be_read_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.build_results(tmp_path)
    later = runs.build_results(tmp_path, run=runs.run_row(run_id=runs.LATER_ID))
    (later.path / "run.json").write_text("{", encoding="utf-8")
    page = boards.build(tmp_path / "results", tmp_path / "site", monkeypatch)
    told = boards.data(page)
    assert [run["run_id"] for run in told["runs"]] == [runs.RUN_ID]
    ((name, why),) = told["unread"]
    assert name == runs.LATER_ID
    assert "run.json" in why
