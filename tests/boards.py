"""Sites for tests: built (without the plotting library, which takes seconds to bundle), read back, and visited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from earmark.bench.board import build_board, encode, libraries

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Request

DRAWN = """() => document.documentElement.dataset.shown !== undefined
    && document.documentElement.dataset.shown === (location.hash || '#/')
    && [...document.querySelectorAll('.plot')].every((plot) => plot.dataset.drawn)"""


def build(results: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a site without its plotting library."""
    monkeypatch.setattr(libraries, "_bundle", lambda _version: "")
    return build_board(results, out)


def data(page: Path, name: str = "index") -> Any:
    """A page of data of a site."""
    return encode.parse((page.parent / f"{page.stem}-data" / f"{name}.js").read_text(encoding="utf-8"))


def rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns as rows; what is no column is left out."""
    read = {name: expanded(column, columns.get("n_rows")) for name, column in columns.items() if name != "n_rows"}
    return [dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True)]


def expanded(column: Any, n: int | None) -> list[Any]:
    """A column as a plain list."""
    if isinstance(column, list):
        return column
    if "c" in column:
        assert n is not None
        return [column["c"]] * n
    return [column["d"][place] for place in column["i"]]


PATIENCE_MS, ASK_EVERY_MS = 60_000, 20


@dataclass
class Visit:
    """A browser's page on a site, with what went wrong on it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, view: str = "") -> Page:
        """Go to a view and wait until everything is drawn."""
        self.page.goto("about:blank")
        self.page.goto(self.address + view)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until everything is drawn. Asked from here: the page's policy forbids waits that it would evaluate."""
        for _ in range(PATIENCE_MS // ASK_EVERY_MS):
            if self.page.evaluate(DRAWN):
                return
            self.page.wait_for_timeout(ASK_EVERY_MS)
        pytest.fail(f"not drawn in {PATIENCE_MS / 1000:.0f} s: {self.page.url}")


def visit(browser: Browser, site: Path, **context: object) -> Iterator[Visit]:
    """A visit that fails the test if the page complained or asked a network for anything."""
    opened = browser.new_context(**context)  # type: ignore[arg-type]
    found = Visit(opened.new_page(), site.as_uri())

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "about:", "blob:")):
            found.complaints.append(f"asked for {request.url}")

    def spoke(dialog: Dialog) -> None:
        found.complaints.append(f"opened a dialog: {dialog.message}")
        dialog.dismiss()

    found.page.on(
        "console", lambda said: found.complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", asked)
    found.page.on("dialog", spoke)
    yield found
    opened.close()
    assert found.complaints == []
