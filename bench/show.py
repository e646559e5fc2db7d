"""A run as tables in the terminal: ``earmark show`` and ``earmark errors``.

Everything that comes from a table is printed as text, never as markup. Off a terminal the same tables are plain.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.console import Group as Stack
from rich.table import Table
from rich.text import Text

from earmark.bench import formatting, ledgers, linter, mistakes, query, report
from earmark.bench.rows import Measurement
from earmark.bench.store import RunFolder

if TYPE_CHECKING:
    from earmark.bench.report import CellView, Group, RunView, SchemeView

LEDGER = "repairs: change of {rate} in points (after minus before, paired), and cohorts afterwards"
MOST_FLIPS = 4
BAR = 20
"""Characters of a gap's bar."""
PLAIN_WIDTH = 200
_STYLES = {"ok": "", "insufficient": "dim", "unsupported": "dim", "unbounded": "yellow"}
_MARKS = {"substitute": ("S", "yellow"), "delete": ("D", "red"), "insert": ("I", "cyan"), "equal": ("", "")}


def show(results: Path, run: str, *, as_json: bool = False) -> None:
    """Print a run's tables, or its flat rows as JSON."""
    folder = RunFolder(query.find_run(results, run))
    if as_json:
        print(json.dumps(query.flat_rows(folder), indent=1, ensure_ascii=False))
    else:
        print_rendered(render(report.load(folder)))


def errors(results: Path, run: str, *, cell: str | None = None, n: int = 20, as_json: bool = False) -> None:
    """Print a run's worst utterances, aligned, and its most frequent confusions, insertions and deletions."""
    found = mistakes.find_mistakes(RunFolder(query.find_run(results, run)), cell=cell, n=n)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=1, ensure_ascii=False))
        return
    console = _console()
    for one in found:
        console.print(render_mistakes(one, n=n, width=console.width))


def print_rendered(what: RenderableType) -> None:
    """Print to the terminal, or plainly and wide where there is none."""
    _console().print(what)


def _console() -> Console:
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


# --- a run --------------------------------------------------------------------------------------------------------


def render(view: RunView) -> RenderableType:
    """A run: for each group of comparable cells its results, cohorts and gaps, then where the numbers come from."""
    parts: list[RenderableType] = []
    for group in view.groups:
        parts += [_text(group.title, "bold"), _text(group.constants, "dim"), results_table(group), *_remarks(group)]
        parts += _flips(group)
        tables = (*cohort_tables(group), gap_table(group), ledger_table(group))
        parts += [part for table in tables if table for part in (Text(""), table)]
        parts.append(Text(""))
    if not view.cells:
        parts.append(Text("no cells are finished yet"))
    parts += [_text(f"{name:10} {what}", "dim") for name, what in view.provenance.items()]
    return Stack(*parts)


def results_table(group: Group) -> Table:
    """One row a cell: what differs, every metric, the status with its reason."""
    table = _table("model", *(report.axis_title(axis) for axis in group.varying))
    for column in group.columns:
        table.add_column(_text(column.heading), justify="right", overflow="fold")
    table.add_column(Text("status"), overflow="fold")
    for view in group.cells:
        axes = [_text(report.axis_text(view.cell, axis)) for axis in group.varying]
        style = _STYLES.get(view.cell.status, "red")
        numbers = [_figure(view.get(column.metric)) for column in group.columns]
        table.add_row(_text(view.label), *axes, *numbers, _text(view.status, style))
    return table


def cohort_tables(group: Group) -> Iterator[Table]:
    """For each scheme the cohorts of every cell, worst first; cohorts too small to publish are dim."""
    headline = report.HEADLINE[group.task]
    counted = "trials" if group.task == "verification" else "words"
    schemes = {scheme.name: scheme for view in group.cells for scheme in view.schemes if scheme.cohorts}
    for name in schemes:
        table = _table("model", "cohort", title=f"cohorts by {name}")
        heading = f"{headline.upper().replace('_', '-')} {formatting.unit(headline)}"
        for text in (heading, "speakers", counted):
            table.add_column(Text(text), justify="right")
        table.add_column(Text("status"))
        table.add_column(Text("among all"))
        for view in group.cells:
            for scheme in view.schemes:
                for row in scheme.cohorts if scheme.name == name else ():
                    table.add_row(*_cohort_row(view, row), style=_STYLES.get(row.status))
            table.add_section()
        yield table


def gap_table(group: Group) -> Table | None:
    """The gaps between cohorts, each beside what chance alone gives and what could have been seen."""
    found = [(view, scheme) for view in group.cells for scheme in view.compared]
    if not found:
        return None
    metric = report.GAP[group.task]
    adjusted = any(scheme.adjusted for _, scheme in found)
    titles = ["model", "scheme", "worst / best", f"{metric} {formatting.unit(metric)}", "chance, 95 %", "detectable"]
    titles += [f"ratio at equal recordings {formatting.unit(report.ADJUSTED)}"] if adjusted else []
    table = _table(*titles, title="gaps between cohorts (█ gap, │ what chance alone stays under in 95 of 100 cases)")
    table.add_column(Text("0 .. largest"), no_wrap=True, width=BAR)
    table.add_column(Text("reading"), overflow="fold")
    for view, scheme in found:
        table.add_row(*_gap_row(view, scheme, adjusted=adjusted))
    return table


def ledger_table(group: Group) -> Table | None:
    """What repairs changed, each beside the model as it was, on the same utterances of the same speakers."""
    found = list(ledgers.entries(group))
    if not found:
        return None
    axes = [axis for axis in ("seed", "cohort_input", "condition") if axis in group.varying]
    table = _table("model", *map(report.axis_title, axes), "scheme", "worst / best")
    table.title = LEDGER.format(rate=report.HEADLINE[group.task].upper())
    spread = ledgers.names(group).spread_title
    for heading in ("worst", "best", "everybody", "gap", "cohort mean", "cohort max", spread):
        table.add_column(Text(heading), justify="right", overflow="fold")
    table.add_column(Text("remark"), overflow="fold")
    for entry in sorted(found, key=lambda e: (e.view.label, e.view.cell.cohort_input, e.view.cell.seed)):
        rows = (entry.of_bottom, entry.of_top, entry.overall, entry.gap, entry.mean, entry.worst, entry.spread)
        table.add_row(
            _text(entry.view.label), *(_text(report.axis_text(entry.view.cell, axis)) for axis in axes),
            _text(entry.scheme), _text(f"{entry.bottom} / {entry.top}"), *(_figure(row) for row in rows),
            Text("leveled down" if entry.leveled_down else "", style="red"),
        )  # fmt: skip
    return table


def _cohort_row(view: CellView, row: Measurement) -> list[Text]:
    counted = row.n if view.cell.task == "verification" else row.denominator
    numbers = ["" if n is None else f"{n:,.0f}" for n in (row.n_speakers, counted)]
    rate = Text(formatting.with_interval(row))
    return [_text(view.label), _text(row.cohort), rate, *map(Text, numbers), _reason(row), _text(report.standing(row))]


def _gap_row(view: CellView, scheme: SchemeView, *, adjusted: bool) -> list[Text]:
    gap = scheme.gap
    limits = report.gap_text(gap)
    style = "bold" if scheme.verdict == "above chance" else "dim" if gap is None or gap.status != "ok" else ""
    return [
        _text(view.label),
        _text(scheme.name),
        _text(" / ".join(scheme.pair) if scheme.pair else ""),
        Text(formatting.with_interval(gap), style=style),
        Text(limits.get("null_q95", "")),
        Text(limits.get("detectable", "")),
        *([Text(formatting.with_interval(scheme.adjusted))] if adjusted else []),
        Text(bar(gap)),
        _text(scheme.verdict, style),
    ]


def bar(gap: Measurement | None, width: int = BAR) -> str:
    """A gap drawn to the scale of the larger of itself and its null; the null's 95 % point is the upright stroke."""
    if gap is None or gap.value is None or gap.null_q95 is None:
        return ""
    full = max(gap.value, gap.null_q95, 1e-12)
    cells = ["█" if place < round(width * max(gap.value, 0.0) / full) else " " for place in range(width)]
    cells[min(width - 1, max(0, round(width * gap.null_q95 / full) - 1))] = "│"
    return "".join(cells).rstrip()


def _remarks(group: Group) -> list[Text]:
    flags = report.flags_of(group.cells)
    return [_text(f"remarks: {', '.join(flags)}", "dim")] if flags else []


def _flips(group: Group) -> list[Text]:
    """Rankings that hang on a choice of rule, the first few in words."""
    found = linter.flips(group)
    rest = [f"... and {len(found) - MOST_FLIPS} more such pairs"] if len(found) > MOST_FLIPS else []
    return [_text(text, "yellow") for text in (*(flip.text for flip in found[:MOST_FLIPS]), *rest)]


def _figure(row: Measurement | None) -> Text:
    return Text(formatting.with_interval(row), style=_STYLES.get(row.status, "red") if row else "dim")


def _reason(row: Measurement) -> Text:
    return _text(formatting.status(row.status) + (f": {row.reason}" if row.reason else ""))


def _table(*titles: str, title: str | None = None) -> Table:
    table = Table(box=None, pad_edge=False, title=_text(title, "bold") if title else None, title_justify="left")
    for name in titles:
        table.add_column(_text(name), overflow="fold")
    return table


def _text(text: object, style: str = "") -> Text:
    return Text(formatting.clean(text), style=style)


# --- its mistakes -------------------------------------------------------------------------------------------------


def render_mistakes(found: mistakes.Mistakes, *, n: int, width: int) -> RenderableType:
    """A cell's worst utterances, reference over hypothesis, and what is confused, inserted and deleted most."""
    head = f"{found.label}: {found.errors.errors} errors in {found.errors.reference_words} words"
    parts: list[RenderableType] = [_text(f"{head}, {found.n_wrong} of {found.n_utterances} utterances wrong", "bold")]
    for one in found.worst:
        counts = f"{one.errors.substitutions} S, {one.errors.deletions} D, {one.errors.insertions} I"
        speaker = one.speaker or "no speaker"
        parts.append(_text(f"{one.utterance_id} ({speaker}): {counts} of {one.errors.reference_words}"))
        parts += aligned(one.steps, width)
    tables: dict[str, dict[Any, int]] = {
        "confusions": {f"{ref} → {hyp}": count for (ref, hyp), count in found.confusions},
        "deletions": dict(found.deletions),
        "insertions": dict(found.insertions),
    }
    for title, counts_ in tables.items():
        if counts_:
            listed = ", ".join(f"{what} ({count})" for what, count in list(counts_.items())[:n])
            parts.append(Text.assemble((title, "bold"), f" {formatting.clean(listed)}"))
    return Stack(*parts, Text(""))


def aligned(steps: tuple[mistakes.Step, ...], width: int) -> list[Text]:
    """An alignment as lines of at most ``width`` characters: REF, HYP and a mark below every error."""
    lines: list[Text] = []
    held: list[tuple[str, str, str, str]] = []
    for step in steps:
        mark, style = _MARKS[step.op]
        words = (step.reference, step.hypothesis)
        sides = [formatting.clean(word) if word else "*" * len(step.shown) for word in words]
        column = (sides[0], sides[1], mark, style)
        if held and _width([*held, column]) > width:
            lines += _block(held)
            held = []
        held.append(column)
    return [*lines, *_block(held)]


def _width(columns: list[tuple[str, str, str, str]]) -> int:
    return 5 + sum(1 + max(len(part) for part in column[:3]) for column in columns)


def _block(columns: list[tuple[str, str, str, str]]) -> list[Text]:
    lines = [Text("  REF"), Text("  HYP"), Text("     ")]
    for *parts, style in columns:
        wide = max(len(part) for part in parts)
        for line, part in zip(lines, parts, strict=True):
            line.append(" ")
            line.append(part.ljust(wide), style=style)
    return lines if columns else []
