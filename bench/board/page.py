"""Builds the page from the tables: one self-contained HTML file, with no reference to anything outside itself.

Of every suite, on each corpus and host, it shows the newest complete run (the newest at all, where none is complete),
and names the others. Text from tables is escaped wherever it lands; the only script is ours, and the page's own
security policy lets no other run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from earmark import __version__
from earmark.bench import formatting, ledgers, report
from earmark.bench.api import InputError
from earmark.bench.board import charts, maps
from earmark.bench.report import CellView, Group, RunView
from earmark.bench.rows import Measurement, Run
from earmark.bench.store import RunFolder, run_folders, write_text

MAX_ROWS = 300
"""Cohorts shown of one scheme: a page of tens of thousands of rows is of no use to anybody."""
_HERE = Path(__file__).parent
_TASKS = {"recognition": "Speech recognition", "conversation": "Conversations", "verification": "Speaker verification",
          "finding": "Cohort finders in worlds without audio"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GapBar:
    """A gap to scale, in percent of the width: itself, its interval, what chance gives, what could have been seen."""

    value: float
    low: float
    high: float
    null: float
    detectable: float | None


@dataclass(frozen=True)
class Section:
    """One run on the page, and where it stands."""

    view: RunView
    anchor: str


def build_board(results: Path, out: Path) -> Path:
    """Write the page for everything below ``results`` to ``out`` (or ``out``/index.html, for a folder).

    Raises:
        InputError: there is nothing to show, or a table can't be read.
    """
    folders = run_folders(results)
    if not folders:
        raise InputError("no runs are stored", where=str(results), fix="earmark run smoke makes one")
    path = out / "index.html" if out.is_dir() or not out.suffix else out
    shown, others = choose(folders)
    write_text(path, render([report.load(folder) for folder in shown], others))
    return path


def choose(folders: Sequence[RunFolder]) -> tuple[list[RunFolder], list[str]]:
    """The runs to show, newest first, and the names of the others; ``folders`` come oldest first.

    A suite run on other corpora or with other models shows something else, so it takes nobody's place.
    """
    best: dict[tuple[str, ...], tuple[RunFolder, Run]] = {}
    for folder in folders:
        run = folder.read_run()
        what = (run.suite, run.host.id, *sorted(run.corpora), *sorted(run.plugins))
        known = best.get(what)
        if known is None or run.complete or not known[1].complete:
            best[what] = folder, run
    shown = sorted((folder for folder, _ in best.values()), key=lambda folder: folder.run_id, reverse=True)
    paths = {folder.path for folder in shown}
    return shown, [f"{f.path.parent.name}/{f.run_id}" for f in reversed(folders) if f.path not in paths]


def render(views: Sequence[RunView], others: Sequence[str] = ()) -> str:
    """The page as text."""
    script = (_HERE / "board.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _environment().get_template("page.html")
    return page.render(
        sections=[Section(view, f"run-{number}") for number, view in enumerate(views, start=1)],
        others=others,
        version=__version__,
        css=Markup((_HERE / "board.css").read_text(encoding="utf-8")),
        script=Markup(script),
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'",
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "value": formatting.value, "interval": formatting.interval, "clean": formatting.clean,
        "status": formatting.status, "sort_key": sort_key,
    }  # fmt: skip
    environment.globals |= {
        "axis_title": report.axis_title, "axis_text": report.axis_text, "tradeoff": _drawn(charts.tradeoff),
        "cohort_dots": _drawn(charts.cohort_dots), "region_map": _drawn(maps.region_map),
        "voice_dots": _drawn(maps.voice_dots), "ledger": lambda group: [*ledgers.entries(group)], "gap_bar": gap_bar,
        "gap_text": report.gap_text, "tasks": _TASKS, "scheme_names": scheme_names, "cohort_rows": cohort_rows,
    }  # fmt: skip
    return environment


def _drawn(draw: Any) -> Any:
    """A chart is the one thing that goes into the page unescaped: Vega's serializer has escaped the text in it."""

    def drawn(*arguments: Any) -> Markup | None:
        svg = draw(*arguments)
        return Markup(svg) if svg else None

    return drawn


def sort_key(row: Measurement | None) -> str:
    """What the page sorts by; empty comes last, an infinite value just before."""
    if row is None or (row.value is None and row.status != "unbounded"):
        return ""
    return "1e999" if row.value is None else repr(row.value)


def scheme_names(group: Group) -> list[str]:
    """Every scheme that some cell of the group has cohorts under."""
    return sorted({scheme.name for view in group.cells for scheme in view.schemes if scheme.cohorts})


def cohort_rows(group: Group, scheme: str) -> tuple[list[tuple[CellView, Measurement]], int]:
    """The cohorts of a scheme, cell after cell, and how many more there are than a page can hold."""
    found = [(view, row) for view in group.cells for s in view.schemes if s.name == scheme for row in s.cohorts]
    return found[:MAX_ROWS], max(0, len(found) - MAX_ROWS)


def gap_bar(row: Measurement | None) -> GapBar | None:
    """How a gap is drawn; None where there is no gap or no null to hold it against."""
    if row is None or row.value is None or row.null_q95 is None:
        return None
    ends = [row.value, row.null_q95, *(end for end in (row.detectable, row.ci_high) if end is not None)]
    full = 1.05 * max(*ends, 1e-12)
    low, high = (row.value if end is None else end for end in (row.ci_low, row.ci_high))

    def at(amount: float) -> float:
        return min(100.0, max(0.0, round(100 * amount / full, 2)))

    seen = None if row.detectable is None else at(row.detectable)
    return GapBar(at(row.value), at(low), at(high), at(row.null_q95), seen)
