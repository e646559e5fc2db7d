"""A site of 100,000 measurements: built, opened and sorted. ``pytest tests/benchmarks --benchmark-only -s``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import boards
import browsers
import numpy as np
import pytest
import runs

from earmark.bench.board import build_board, libraries
from earmark.bench.store import RunFolder

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from pytest_benchmark.fixture import BenchmarkFixture

N_ROWS, N_FEW, PER_CELL = 100_000, 1_000, 100
BUILT_S, USABLE_MS, SORTED_MS = 10.0, 1_000.0, 100.0
"""Budgets, printed beside what was measured."""
OVERALL = ("wer", "cer", "upl_final_p50", "upl_final_p90", "rtf_streaming", "peak_rss_mib")
SORTS = ("value", "model", "cohort", "metric")
SORT = """(name) => {
    const began = performance.now();
    document.getElementById(`sort-${name}`).click();
    document.body.getBoundingClientRect();
    return performance.now() - began;
}"""

NOTE_WHEN_DRAWN = f"""(() => {{
    const drawn = {boards.DRAWN};
    const ask = () => drawn() ? (window.drawnAt = performance.now()) : requestAnimationFrame(ask);
    requestAnimationFrame(ask);
}})()"""


def write(root: Path, n_rows: int) -> Path:
    """One run of ``n_rows`` measurements, a hundred of each cell, most of them of cohorts; no observations."""
    rng = np.random.default_rng(0)
    names = [f"c{place:05}" for place in range(n_rows // PER_CELL)]
    folder = RunFolder(root / "results" / "v1" / runs.SUITE / runs.RUN_ID)
    folder.write_run(runs.run_row())
    folder.write_cells([runs.cell_row(name, plugin=f"model{at % 50}", seed=at // 50) for at, name in enumerate(names)])
    cohorts = [("all", "all", metric) for metric in OVERALL]
    cohorts += [("accent", f"a{number:03}", "wer") for number in range(PER_CELL - len(OVERALL))]
    values = rng.uniform(0.05, 0.5, (len(names), len(cohorts))).tolist()
    folder.write_measurements(
        runs.measurement(name, metric, value, scheme=scheme, cohort=cohort, **runs.ci(value - 0.01, value + 0.01))
        for name, row in zip(names, values, strict=True)
        for value, (scheme, cohort, metric) in zip(row, cohorts, strict=True)
    )
    return root / "results"


def opened(browser: Browser, site: Path, n_rows: int) -> tuple[float, dict[str, float]]:
    """Milliseconds from navigation to the first view, and of sorting all rows by each column for the first time."""
    (found,) = (_timed(visit, n_rows) for visit in boards.visit(browser, site))
    return found


def _timed(visit: boards.Visit, n_rows: int) -> tuple[float, dict[str, float]]:
    visit.page.add_init_script(NOTE_WHEN_DRAWN)
    page = visit.open()
    usable_ms = float(page.evaluate("window.drawnAt"))
    visit.open("#/numbers")
    assert page.locator("main table").get_attribute("aria-rowcount") == str(n_rows + 1)
    return usable_ms, {name: float(page.evaluate(SORT, name)) for name in SORTS}


@pytest.mark.slow
def test_a_site_of_a_hundred_thousand_measurements(
    benchmark: BenchmarkFixture, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    n_rows = N_ROWS if benchmark.enabled else N_FEW
    results, page = write(tmp_path, n_rows), tmp_path / "site" / "index.html"
    libraries.place(page.parent / "index-data")  # bundled once a version, not once a site
    benchmark.pedantic(build_board, (results, page), rounds=1)  # type: ignore[no-untyped-call]
    index, cohorts = boards.data(page), boards.data(page, f"run-{runs.RUN_ID}")
    assert index["numbers"]["n_rows"] + cohorts["numbers"]["n_rows"] == n_rows
    if benchmark.stats is not None:  # none with --benchmark-disable
        built_s = benchmark.stats.stats.mean
        benchmark.extra_info["share_of_budget"] = built_s / BUILT_S
        print(f"\nboard, {n_rows} measurements: built in {built_s:.1f} s of {BUILT_S:.0f} s")
    if browsers.find() is None:
        pytest.skip(f"NOT TESTED in a browser: no Chromium here ({browsers.HOW})")
    _in_a_browser(benchmark, request.getfixturevalue("chromium"), page, n_rows)


def _in_a_browser(benchmark: BenchmarkFixture, browser: Browser, site: Path, n_rows: int) -> None:
    usable_ms, sorts = opened(browser, site, n_rows)
    benchmark.extra_info.update(usable_ms=usable_ms, **{f"sort_{name}_ms": took for name, took in sorts.items()})
    told = ", ".join(f"{name} {took:.0f}" for name, took in sorts.items())
    print(f"first view {usable_ms:.0f} of {USABLE_MS:.0f} ms; sorts of {n_rows} rows: {told} of {SORTED_MS:.0f} ms")
