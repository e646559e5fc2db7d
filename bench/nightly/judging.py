"""Two nights held against each other: what is worse, what is worth a second look, and what is only noted.

Error rates, compute and memory are judged by ``earmark.bench.compare``. Timings are too, but a night's machine is not
that of the night before, so a slow-down is named only where ``costs`` finds it in the device's own time, or where a
second measurement on the same night shows it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from earmark.bench import formatting, report
from earmark.bench.compare import Change, Comparison, compare
from earmark.bench.compare.matching import Pair, Side, match
from earmark.bench.nightly.costs import LEAST_OTHERS, Cost, Step, common_drift, cost_of, slower, steps
from earmark.bench.nightly.records import Finding
from earmark.bench.rows import Cell
from earmark.bench.store import RunFolder

BAD_FLAGS = ("nondeterministic", "reused_differs", "work_disagrees")
"""Remarks that say that something is wrong with a model."""
Doubts = Mapping[str, str]
"""By label, what only a clock says."""


@dataclass(frozen=True, slots=True)
class Judged:
    """``doubts`` are of timings that want a second look; ``plugin_of`` gives the model of a label."""

    comparison: Comparison
    findings: tuple[Finding, ...]
    doubts: Doubts
    drift: float
    plugin_of: Mapping[str, str] = field(default_factory=dict)


def judge(results: Path, before: RunFolder, after: RunFolder, tolerance: float) -> Judged:
    """Hold a run against an earlier one of the same suite.

    Args:
        tolerance: a model may become slower by this share without being named.
    Raises:
        InputError: the runs are unlike, as ``compare`` says.
    """
    found = compare(before.path, after.path, results=results)
    matched = match(Side.read(results, str(before.path)), Side.read(results, str(after.path)))
    plugin_of = {pair.label: pair.b.plugin for pair in matched.pairs}
    pairs = {pair.label: (pair.a, pair.b) for pair in matched.pairs}
    moved = _steps(before, after, pairs, plugin_of) if _one_machine(found) else {}
    sure, doubtful = slower(moved, tolerance)
    findings = [*_changes(found), *(Finding(label=name, kind="slower", text=_told(moved[name])) for name in sure)]
    findings += [
        Finding(label=_named(cell), kind="gone", text="it is not measured any more") for cell in matched.only_a
    ]
    findings += list(_flagged(pairs))
    doubts = {name: f"{moved[name].wall:.2f} x the wall time" for name in doubtful}
    doubts = {**_late(found, plugin_of, tolerance), **doubts}
    doubts = {name: text for name, text in doubts.items() if name not in sure}
    return Judged(found, tuple(findings), doubts, common_drift([*moved.values()]), plugin_of)


def failures(cells: Sequence[Cell]) -> Iterator[Finding]:
    """Cells that were planned and did not succeed."""
    for cell in cells:
        if cell.status not in ("ok", "unsupported"):
            text = f"{formatting.status(cell.status)}: {cell.reason}" if cell.reason else formatting.status(cell.status)
            yield Finding(label=_named(cell), kind="failed", text=text)


def confirmed(judged: Judged, doubts: Doubts) -> list[Finding]:
    """Of some doubts those that a second measurement, judged here, has too."""
    again = {**judged.doubts, **{f.label: f.text for f in judged.findings if f.kind == "slower"}}
    return [
        Finding(label=name, kind="slower", text=f"{text}, and again when measured once more: {again[name]}")
        for name, text in doubts.items()
        if name in again
    ]


def _one_machine(found: Comparison) -> bool:
    hosts = [(run.host.id, run.host.cpu_model, run.host.gpu_model) for run in (found.a, found.b)]
    return hosts[0] == hosts[1]


def _steps(
    before: RunFolder, after: RunFolder, pairs: Mapping[str, tuple[Cell, Cell]], plugin_of: Mapping[str, str]
) -> dict[str, Step]:
    sides: tuple[dict[str, Cost], dict[str, Cost]] = {}, {}
    for label, cells in pairs.items():
        if all(cell.status == "ok" for cell in cells):
            for side, folder, cell in zip(sides, (before, after), cells, strict=True):
                cost = cost_of(folder, cell.cell)
                if cost is not None:
                    side[label] = cost
    return steps(*sides, plugin_of)


def _told(step: Step) -> str:
    ratio, clock = (step.wall, "wall time") if step.device is None else (step.device, "the device's own time")
    return f"{ratio:.2f} x {clock} for the same audio, where other models took {step.drift:.2f} x"


# --- error rates, compute, memory ---------------------------------------------------------------------------------


def _changes(found: Comparison) -> Iterator[Finding]:
    """One finding for each model and kind of metric, its first metric in full and the others by name."""
    groups: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in found.worse:
        if change.kind != "timing":
            groups[change.label, "failed" if change.change is None else change.kind].append(change)
    for (label, kind), changes in groups.items():
        first, *rest = sorted(changes, key=_importance)
        text = (first.reason or "no number any more") if kind == "failed" else _number(first) + _more(rest)
        yield Finding.model_validate({"label": label, "kind": kind, "text": text})


def _importance(change: Change) -> tuple[bool, bool, float]:
    headline = change.metric in report.HEADLINE.values()
    return change.scheme != report.ALL, not headline, -abs(change.relative or 0.0)


def _number(change: Change) -> str:
    assert change.before is not None
    assert change.after is not None
    where = "" if change.scheme == report.ALL else f" of {change.scheme}={change.cohort}"
    values = " -> ".join(formatting.number(change.metric, value) for value in (change.before, change.after))
    p = (
        ""
        if change.p_adjusted is None
        else f", p {'< 0.0001' if change.p_adjusted < 1e-4 else f'{change.p_adjusted:.2g}'}"
    )
    share = "" if change.relative is None else f" ({100 * change.relative:+.0f} %{p})"
    return f"{change.metric}{where} {values} {formatting.unit(change.metric)}".rstrip() + share


def _more(rest: Sequence[Change]) -> str:
    cohorts = {(c.scheme, c.cohort) for c in rest if c.scheme != report.ALL}
    names = sorted({c.metric for c in rest if c.scheme == report.ALL})
    told = [*names, *([f"{len(cohorts)} cohorts"] if cohorts else [])]
    return f"; also {', '.join(told)}" if told else ""


def _flagged(pairs: Mapping[str, tuple[Cell, Cell]]) -> Iterator[Finding]:
    for label, (a, b) in pairs.items():
        for flag in BAD_FLAGS:
            if flag in b.flags and flag not in a.flags:
                yield Finding(label=label, kind="flag", text=f"{flag}, which it was not")


def _late(found: Comparison, plugin_of: Mapping[str, str], tolerance: float) -> Doubts:
    """Delays that compare calls worse, and that grew by more than those of the other models did."""
    doubts: dict[str, str] = {}
    for change in found.worse:
        if change.kind == "timing" and change.before and change.after and change.before > 0:
            ratio = change.after / change.before
            others = [
                o.after / o.before
                for o in found.changes
                if o.metric == change.metric and plugin_of[o.label] != plugin_of[change.label]
                and o.before and o.after and o.before > 0
            ]  # fmt: skip
            drift = median(others) if len(others) >= LEAST_OTHERS else 1.0
            if ratio > drift * (1 + tolerance):
                doubts.setdefault(change.label, f"{ratio / drift:.2f} x {change.metric}")
    return doubts


def _named(cell: Cell) -> str:
    return Pair(cell, cell).label
