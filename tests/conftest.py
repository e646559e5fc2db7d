"""Tests that need a GPU or a browser skip loudly where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import browsers
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests: a second driver in one process is refused."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browsers.find(), args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _skip(items, "gpu", "no CUDA device here", _has_cuda)
    _skip(items, "browser", f"no Chromium here ({browsers.HOW})", lambda: browsers.find() is not None)


def _skip(items: list[pytest.Item], marker: str, why: str, there: Callable[[], bool]) -> None:
    wanting = [item for item in items if item.get_closest_marker(marker)]
    if wanting and not there():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason=f"NOT TESTED: {why}"))


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())
