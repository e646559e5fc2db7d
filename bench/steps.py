"""Steps in a figure over many runs: where a series of nights changed its level, and what somebody noted about it.

A series is one metric of one model under one set of circumstances, in order of the runs; timings and memory are one
series a machine. Steps are found by asv's own detection (``asv.step_detect``: a piecewise constant fit whose number of
pieces is penalized); their direction is that of the metric. Notes stand in ``annotations.toml`` of the results folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from earmark.bench import query
from earmark.bench.annotations import Annotation, read_annotations
from earmark.bench.api import Unsupported
from earmark.bench.formatting import clean, number, unit
from earmark.bench.metrics.names import metric
from earmark.bench.store import RunFolder, run_folders

THRESHOLD = 0.05
"""A step smaller than this share of the level before is not told; asv's own default."""
DEFAULT_METRICS = (
    "wer", "orc_wer", "eer", "rtf_streaming", "rtf_offline", "upl_final_p50", "macs_per_audio_second", "peak_rss_mib",
)  # fmt: skip
KEY = (
    "task", "plugin", "preset", "options", "train_corpus", "steps", "mitigation", "cohort_input", "corpus",
    "corpus_fingerprint", "split", "condition", "device", "backend", "precision", "threads", "chunk_ms", "pacing",
    "seed", "normalizer", "metric",
)  # fmt: skip
"""What tells series apart; the machine does as well, where the metric is a timing or memory."""
_COLUMNS = ", ".join(
    f"flat.{name}"
    for name in (*KEY, "host_id", "cpu_model", "value", "run_id", "suite", "cell", "started_at", "git_sha")
)
_POINTS = f"""
    SELECT {_COLUMNS} FROM flat JOIN runs USING (run_id, suite)
    WHERE flat.scheme = 'all' AND cohort = 'all' AND value IS NOT NULL AND kind = 'measured' AND complete
      AND metric = ANY(?)
    ORDER BY flat.started_at, flat.run_id
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One run's figure."""

    run_id: str
    suite: str
    cell: str
    started_at: str
    git_sha: str | None
    value: float


@dataclass(frozen=True, slots=True)
class Step:
    """The level changed with the run at ``index`` of the series; levels are means of the runs on both sides."""

    index: int
    run_id: str
    before: float
    after: float
    n_after: int
    verdict: Literal["worse", "better", "changed"]
    notes: tuple[str, ...] = ()
    expected: bool = False

    @property
    def relative(self) -> float | None:
        return (self.after - self.before) / abs(self.before) if self.before else None


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one model over the runs, oldest first. ``key`` has the fields of :data:`KEY`, and the machine."""

    key: Mapping[str, Any]
    points: tuple[Point, ...]
    steps: tuple[Step, ...]

    @property
    def label(self) -> str:
        k = self.key
        repaired = f" + {k['mitigation']}" if k["mitigation"] else ""
        options = "" if k["options"] in (None, "{}") else f" {k['options']}"
        place = f"{k['corpus']}/{k['split']} {k['condition']} {k['device']}"
        return f"{k['metric']} of {k['plugin']}{repaired}{options} ({place}, seed {k['seed']})"

    def to_json(self) -> dict[str, Any]:
        points = [{name: getattr(point, name) for name in Point.__slots__} for point in self.points]
        steps = [{name: getattr(s, name) for name in Step.__slots__} | {"relative": s.relative} for s in self.steps]
        return {"key": dict(self.key), "label": self.label, "points": points, "steps": steps}


def history(
    results: Path,
    *,
    metrics: Sequence[str] = (),
    threshold: float = THRESHOLD,
    suite: str | None = None,
    folders: Sequence[RunFolder] | None = None,
) -> list[Series]:
    """Every series of the stored runs that has two points or more, with its steps, in order of name.

    Args:
        folders: the runs, where they are known; otherwise those of ``suite``, or all.

    Raises:
        InputError: an unknown metric, or annotations that can't be read.
        Unsupported: asv is not installed.
    """
    for name in metrics:
        metric(name)
    notes = read_annotations(results)
    folders = run_folders(results, suite) if folders is None else folders
    with query.connect(results, folders) as connection:
        rows = query.records(connection, _POINTS, [list(metrics or DEFAULT_METRICS)])
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        machine = metric(row["metric"]).kind in ("timing", "memory")
        host = (row["host_id"], row["cpu_model"]) if machine else (None, None)
        found[(*(row[name] for name in KEY), *host)].append(row)
    series = [_series(key, points, notes, threshold) for key, points in found.items() if len(points) > 1]
    return sorted(series, key=lambda one: (one.label, str(one.key)))


def detect(values: Sequence[float], name: str, threshold: float = THRESHOLD) -> list[tuple[int, float, float, int]]:
    """Steps of a series: index of the first value after, level before, level after, how many values after.

    Steps below ``threshold`` of the level before are left out. ``name`` is that of the metric.
    """
    try:
        from asv.step_detect import detect_steps
    except ImportError as error:
        raise Unsupported(f"steps of {name} need the package asv: pip install 'earmark[trend]'") from error
    levels = [(left, right, float(level)) for left, right, level, *_ in detect_steps(list(values))]
    return [
        (left, before, after, right - left)
        for (_, _, before), (left, right, after) in pairwise(levels)
        if abs(after - before) > threshold * abs(before)
    ]


def _series(
    key: tuple[Any, ...], rows: Sequence[Mapping[str, Any]], notes: Sequence[Annotation], threshold: float
) -> Series:
    named = dict(zip((*KEY, "host_id", "cpu_model"), key, strict=True))
    points = tuple(Point(**{name: row[name] for name in Point.__slots__}) for row in rows)
    found = detect([point.value for point in points], named["metric"], threshold)
    steps = tuple(_step(points, named, one, notes) for one in found)
    return Series(named, points, steps)


def _step(
    points: Sequence[Point], key: Mapping[str, Any], found: tuple[int, float, float, int], notes: Sequence[Annotation]
) -> Step:
    index, before, after, n_after = found
    better = metric(key["metric"]).better
    step = Step(index, points[index].run_id, before, after, n_after, "changed")
    if better != "none":
        step = replace(step, verdict="worse" if (after > before) == (better == "lower") else "better")
    point, what = points[index], {"plugin": key["plugin"], "metric": key["metric"]}
    mine = [note for note in notes if note.about(point.run_id, point.git_sha, suite=point.suite, **what)]
    return replace(step, notes=tuple(note.note for note in mine), expected=any(note.expected for note in mine))


# --- telling ------------------------------------------------------------------------------------------------------


def standing(series: Series) -> bool:
    """Whether the series ends on a level that a step made worse and nobody expected."""
    return bool(series.steps) and series.steps[-1].verdict == "worse" and not series.steps[-1].expected


def as_text(found: Sequence[Series]) -> Iterator[str]:
    """One line a step, series that ended worse first."""
    n_steps = sum(len(series.steps) for series in found)
    yield f"{len(found)} series of two runs or more, {n_steps} steps, {sum(map(standing, found))} ended worse"
    for series in sorted(found, key=standing, reverse=True):
        for step in series.steps:
            name = series.key["metric"]
            levels = f"{number(name, step.before)} → {number(name, step.after)} {unit(name)}".rstrip()
            share = "" if step.relative is None else f" ({100 * step.relative:+.1f} %)"
            notes = "".join(f"; {note}" for note in step.notes) + ("; expected" if step.expected else "")
            yield clean(
                f"{step.verdict:7} {series.label}: {levels}{share} since {step.run_id}, {step.n_after} runs{notes}"
            )
