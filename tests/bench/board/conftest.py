"""Sites for tests of the page, and visits that note everything a reader should never see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import runs
from boards import Visit, visit

from earmark.bench.annotations import FILE
from earmark.bench.board import build_board

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of two tiny runs."""
    root = tmp_path_factory.mktemp("site")
    runs.build_results(root)
    runs.build_results(root, run=runs.run_row(run_id=runs.LATER_ID, started_at="2026-01-03T03:04:05+00:00"))
    return build_board(root / "results", root / "site" / "index.html")


@pytest.fixture
def board(chromium: Browser, site: Path) -> Iterator[Visit]:
    yield from visit(chromium, site, viewport={"width": 1280, "height": 900})


@pytest.fixture
def phone(chromium: Browser, site: Path) -> Iterator[Visit]:
    yield from visit(chromium, site, viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)


@pytest.fixture(scope="session")
def nights_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of eight nights of a model that lost words in the fifth, with a note on it."""
    root = tmp_path_factory.mktemp("nights")
    results = runs.build_nights(root)
    (results / FILE).write_text('[[annotation]]\nrun = "20260105"\nnote = "harder recordings"\n', encoding="utf-8")
    return build_board(results, root / "site" / "index.html")


@pytest.fixture
def nights(chromium: Browser, nights_site: Path) -> Iterator[Visit]:
    yield from visit(chromium, nights_site, viewport={"width": 1280, "height": 900})


@pytest.fixture(scope="session")
def repairs_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a model before and after two repairs, with the map of the regions that it was repaired for."""
    root = tmp_path_factory.mktemp("repairs")
    return build_board(runs.build_repairs(root), root / "site" / "index.html")


@pytest.fixture
def repairs(chromium: Browser, repairs_site: Path) -> Iterator[Visit]:
    yield from visit(chromium, repairs_site, viewport={"width": 1280, "height": 900})
