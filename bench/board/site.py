"""Builds the site from the tables: one page with its data beside it, which opens from a disk without a server.

``index.html`` holds the program; ``index-data/`` the tables as columns, a page for each run's cohorts, one for each
cell's recordings (made once, named by what they were made from) and the plotting library. The page's policy runs one
script, by its hash, and what that script itself loads; it lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from earmark import __version__
from earmark.bench.api import InputError
from earmark.bench.board import cards, checks, encode, libraries, maps, numbers, published, ranking, recordings, voices
from earmark.bench.board.numbers import Stored
from earmark.bench.disk import sha256_of
from earmark.bench.rows import Cell, Run
from earmark.bench.store import RunFolder, run_folders, write_text

FORMAT = 4
"""Of the pages of cells; grows when they tell more, so that kept ones are made again."""
HERE = Path(__file__).parent
_SCRIPTS = HERE / "site"
_ORDER = (
    "dom", "data", "format", "route", "table", "download", "plot", "names", "cells", "overview", "numbers",
    "number", "run", "tradeoffs", "gaps", "ledger", "fairness", "gates", "card", "model", "utterance", "history",
    "compare", "main",
)  # fmt: skip
_OURS = ("card-", "cell-", "run-", "index")


def build_board(results: Path, out: Path) -> Path:
    """Write the site for everything below ``results`` to ``out`` (or ``out``/index.html, for a folder).

    A run that can't be read is left out, and the page names it.

    Raises:
        InputError: there is nothing to show, or no run can be read.
    """
    folders = run_folders(results)
    if not folders:
        raise InputError("no runs are stored", where=str(results), fix="earmark run smoke makes one")
    page = out / "index.html" if out.is_dir() or not out.suffix else out
    data = page.parent / f"{page.stem}-data"
    libraries.place(data)
    stored = Stored.read(folders)
    if not stored.runs:
        raise stored.unread[0][1]
    written = set(_write_data(results, stored, data))
    write_text(page, render(data.name))
    for path in data.glob("*.js"):
        if path.name.startswith(_OURS) and path.name not in written:
            path.unlink()
    return page


def newest(runs: Sequence[Run], seeds: Sequence[Collection[int]]) -> list[bool]:
    """Which runs stand for today (``runs`` come oldest first): of each suite and seed the newest complete one.

    A suite run on other corpora, with other models or on another machine shows something else: it takes nobody's place.
    """
    best: dict[tuple[object, ...], int] = {}
    for place, (run, own) in enumerate(zip(runs, seeds, strict=True)):
        for seed in own or (None,):
            what = (seed, run.suite, run.host.id, *sorted(run.corpora), *sorted(run.plugins))
            if what not in best or run.complete or not runs[best[what]].complete:
                best[what] = place
    return [place in best.values() for place in range(len(runs))]


def render(data: str) -> str:
    """The page as text; ``data`` names the folder beside it."""
    script = program()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(loader=FileSystemLoader(_SCRIPTS), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("index.html").render(
        css=Markup((_SCRIPTS / "board.css").read_text(encoding="utf-8")),
        script=Markup(script),
        data=data,
        version=__version__,
        policy="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src 'strict-dynamic' 'sha256-{digest}'",
    )


@cache
def program() -> str:
    """The page's script: the library of virtual rows, then ours, in one function."""
    parts = [(_SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in _ORDER]
    whole = "\n".join([libraries.virtual_rows(), '(() => {\n"use strict";', *parts, "})();"])
    return whole.replace("</script", "<\\/script")


def _write_data(results: Path, stored: Stored, data: Path) -> Iterator[str]:
    """Write every page of data; yields their names."""
    kept = _Pages(stored, data)
    overall, others = numbers.measurement_tables(results, stored)
    now = newest(stored.runs, _seeds(stored))
    hosts = [(stored.runs[run].host.id, cell) for run, cell in stored.cells]
    shown = [now[run] for run, _ in stored.cells]
    columns = ["cell", "metric", "value", "ci_low", "ci_high", "status"]
    ranks = ranking.standings(hosts, shown, overall.select(columns).to_pylist(), kept.errors, kept.heard)
    yield from filter(None, kept.names)
    for run, table in zip(stored.runs, others, strict=True):
        yield _write(data, f"run-{run.run_id}", {"numbers": numbers.measurement_columns(table),
                                                 "schemes": maps.schemes(run.cohort_schemes),
                                                 "weights": voices.weights(run.checkpoints)})  # fmt: skip
    told = dict(cards.cards(cell.plugin for _, cell in stored.cells))
    yield from (_write(data, f"card-{name}", {"card": card}) for name, card in told.items())
    names = {name for table in (overall, *others) for name in table["metric"].unique().to_pylist()}
    reported = published.reported_rows()
    names |= {name for row in reported for name in row["figures"]}
    yield _write(data, "index", {
        "version": __version__, "runs": numbers.run_rows(stored), "newest": now,
        "cells": numbers.cell_columns(stored, kept.names, kept.heard), "numbers": numbers.measurement_columns(overall),
        "metrics": numbers.metric_rows(sorted(names)), "tasks": numbers.task_rows(),
        "standings": [[r.place, r.metric, "best" if r.best else "tied", r.p, r.how] for r in ranks],
        "reported": reported, "notes": checks.notes(results), "flips": checks.flips(stored, overall),
        "steps": checks.trend(results, stored, sorted(names)),
        "unread": [[name, str(error)] for name, error in stored.unread], "cards": sorted(told),
    })  # fmt: skip


def _seeds(stored: Stored) -> list[set[int]]:
    """The seeds of each run's cells."""
    found: list[set[int]] = [set() for _ in stored.runs]
    for run, cell in stored.cells:
        found[run].add(cell.seed)
    return found


def _write(data: Path, name: str, content: dict[str, Any]) -> str:
    write_text(data / f"{name}.js", encode.script(name, content))
    return f"{name}.js"


class _Pages:
    """The pages of cells: kept where nothing changed, made anew otherwise."""

    def __init__(self, stored: Stored, data: Path) -> None:
        self._data = data
        self.names = [self._page(stored, run, cell) for run, cell in stored.cells]
        self.heard = [recordings.heard_of(data / name) if name else None for name in self.names]

    def errors(self, place: int, metric: str) -> ranking.Errors:
        """What the page of a cell knows of its utterances' errors, counted as the metric counts them."""
        name = self.names[place]
        return _speaker_errors(self._data / name, metric) if name else {}

    def _page(self, stored: Stored, run: int, cell: Cell) -> str | None:
        folder, row = stored.folders[run], stored.runs[run]
        digest = _digest(folder, row, cell)
        if digest is None:
            return None
        name = f"cell-{row.run_id}-{cell.cell}-{digest}"
        path = self._data / f"{name}.js"
        if not path.is_file():
            content = recordings.cell_page(folder.observations(cell.cell), cell, row.normalizer)
            write_text(path, encode.script(name, content))
        return path.name


@cache
def _speaker_errors(path: Path, metric: str) -> ranking.Errors:
    return recordings.speaker_errors(encode.parse(path.read_text(encoding="utf-8")), metric)


def _digest(folder: RunFolder, run: Run, cell: Cell) -> str | None:
    """Of a cell's observations and of how they are told; None where there are none."""
    inside = f"observations/{cell.cell}/"
    known = {name: digest for name, digest in run.files.items() if name.startswith(inside)}
    if not known:
        known = {path.name: sha256_of(path) for path in sorted(folder.observations(cell.cell).glob("*.parquet"))}
    if not known:
        return None
    told = json.dumps([FORMAT, __version__, run.normalizer, sorted(known.items())])
    return hashlib.sha256(told.encode()).hexdigest()[:10]
