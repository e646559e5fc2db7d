"""A comparison on one screen: what is worse, what is better, the headline of every cell, what moved most."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from earmark.bench import formatting
from earmark.bench.compare.changes import Change
from earmark.bench.compare.comparison import Comparison
from earmark.bench.compare.words import Moved
from earmark.bench.report import ALL, HEADLINE
from earmark.bench.rows import Run

MOST = 12
"""Rows of each table; the rest is counted."""
WIDEST_LABEL = 44
_STYLES = {"worse": "red", "better": "green"}


def render(found: Comparison, *, n: int = MOST) -> RenderableType:
    """The comparison as text: verdicts first, reasons beside them."""
    parts: list[RenderableType] = [_end("A", found.a), _end("B", found.b), Text(summary(found), style="bold")]
    for title, changes in (("worse", found.worse), ("better", found.better)):
        if changes:
            parts += [Text(""), changes_table(title, changes[:n]), *_more(changes, n)]
    rest = [change for change in found.changes if _is_headline(change) and change.verdict not in _STYLES]
    if rest:
        parts += [Text(""), changes_table("no difference shown", rest[:n]), *_more(rest, n)]
    if found.moved:
        parts += [Text(""), Text("utterances that changed most", style="bold")]
    parts += [line for moved in found.moved for line in _moved(moved)]
    parts += [_text(f"note: {note}", "dim") for note in found.notes]
    return Stack(*parts)


def summary(found: Comparison) -> str:
    """Everything in one line."""
    n_tests = sum(change.p_adjusted is not None for change in found.changes)
    return (
        f"{len(found.worse)} worse, {len(found.better)} better, of {len(found.changes)} figures; "
        f"{n_tests} tests, Holm-adjusted at {found.alpha:g}"
    )


def changes_table(title: str, changes: Sequence[Change]) -> Table:
    """One row a change, with its interval, p values or noise floor."""
    table = Table(box=None, pad_edge=False, title=Text(title, style=_STYLES.get(title, "bold")), title_justify="left")
    table.add_column(Text("model"), overflow="fold", max_width=WIDEST_LABEL)
    for heading in ("metric", "cohort"):
        table.add_column(Text(heading), no_wrap=True)
    for heading in ("A", "B", "B - A", "change", "p (Holm)", "MAPSSWE", "noise"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    if any(change.reason for change in changes):
        table.add_column(Text("remark"), overflow="fold")
    labels = ["", *(change.label for change in changes)]
    for before, change in zip(labels, changes, strict=False):
        cells = _cells(change)
        table.add_row(_text("" if change.label == before else change.label), *cells[: len(table.columns) - 1])
    return table


def _cells(change: Change) -> list[Text]:
    name = change.metric
    where = "" if change.scheme == ALL else f"{change.scheme}={change.cohort}"
    heading = f"{name} {formatting.unit(name)}".strip()
    numbers = [_figure(name, change.before), _figure(name, change.after), _interval(change), _percent(change.relative)]
    p_values = [_p(change.p_adjusted), _p(change.p_matched_pairs)]
    noise = "" if change.noise is None else formatting.number(name, change.noise)
    return [_text(text) for text in (heading, where, *numbers, *p_values, noise, change.reason or "")]


def _figure(metric: str, value: float | None) -> str:
    return formatting.NOTHING if value is None else formatting.number(metric, value)


def _interval(change: Change) -> str:
    """The difference and its interval, signed."""
    if change.change is None:
        return formatting.NOTHING
    shown = _signed(change.metric, change.change)
    if change.ci_low is None or change.ci_high is None:
        return shown
    return f"{shown} [{_signed(change.metric, change.ci_low)}, {_signed(change.metric, change.ci_high)}]"


def _signed(metric: str, value: float) -> str:
    return f"{'+' if value > 0 else ''}{formatting.number(metric, value)}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f} %"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _moved(moved: Moved) -> list[Text]:
    head = f"{moved.utterance_id} ({moved.speaker or 'no speaker'}), {moved.label}"
    said = (("REF", moved.reference), ("A  ", moved.before), ("B  ", moved.after))
    counts = f"{moved.errors_before} → {moved.errors_after} errors"
    return [_text(f"{head}: {counts}"), *(_text(f"  {name}  {text}") for name, text in said)]


def _end(name: str, run: Run) -> Text:
    state, sha = run.environment, (run.git_sha or "unknown commit")[:7]
    stolen = "" if state.steal_fraction is None else f", {state.steal_fraction:.1%} stolen"
    about = f"{sha}, {run.host.cpu_model}, load {state.load_start:.1f}{stolen}"
    return _text(f"{name}  {run.suite}/{run.run_id}  ({about})", "dim")


def _is_headline(change: Change) -> bool:
    return change.scheme == ALL and change.metric in {*HEADLINE.values(), "rtf_streaming", "rtf_offline"}


def _more(changes: Sequence[Change], n: int) -> list[Text]:
    left = len(changes) - n
    return [_text(f"... and {left} more; --json has them all", "dim")] if left > 0 else []


def _text(text: object, style: str = "") -> Text:
    return Text(formatting.clean(text), style=style)
