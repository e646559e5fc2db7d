"""What a reader of one run sees, before it becomes text or HTML: cells with their measurements, grouped fairly.

A group holds cells that may stand under one heading: the same task, corpus, split and device, so that CPU and GPU
never share a column. Inside a group, circumstances that differ between cells become columns, the others go into the
heading.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from earmark.bench.formatting import clean, number, status, unit
from earmark.bench.rows import Cell, Measurement, Run
from earmark.bench.store import RunFolder

ALL, ACROSS = "all", "*"
REPAIR, TRAIN = "repair:", "train:"
"""Begin the flags that name the block by which a cell's model was repaired, or in which it went on from another's."""
HEADLINE = {"recognition": "wer", "conversation": "orc_wer", "verification": "eer", "finding": "finder_power"}
"""By task, the error rate that tables begin with."""
GAP = {"recognition": "gap_rel", "conversation": "gap_rel", "verification": "eer_gap_rel", "finding": "gap_rel"}
"""By task, the gap that is shown first."""
GATES = "gate_rate"
STANDS = "max_t:"
"""Begins the flag of a cohort that the corrected test tells from all speakers."""
ADJUSTED = "gap_ratio_adjusted"
COST = {
    "recognition": ("upl_final_p50", "rtf_streaming"),
    "verification": ("rtf_offline",),
    "conversation": ("endpoint_p50", "rtf_streaming"),
    "finding": (),
}
"""By task, what the error rate is plotted against: the first of these that was measured."""
AXES = (
    "kind", "preset", "options", "train_corpus", "steps", "labels", "mitigation", "cohort_input", "condition", "seed",
    "chunk_ms", "pacing", "passes", "threads", "precision", "backend",
)  # fmt: skip
"""Circumstances of a cell that a table may compare."""
_SILENT = {"kind": "measured", "labels": "human", "cohort_input": "none", "options": {}, "precision": "fp32",
           "backend": "eager", "preset": "default"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A metric of a task's table and its short title, without the unit."""

    title: str
    metric: str

    @property
    def heading(self) -> str:
        return f"{self.title} {unit(self.metric)}".strip()


COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "recognition": (
        Column("WER", "wer"), Column("CER", "cer"),
        Column("UPL p50", "upl_final_p50"), Column("UPL p90", "upl_final_p90"),
        Column("first token p50", "first_token_p50"), Column("finalize p50", "finalize_p50"),
        Column("RTF", "rtf_streaming"), Column("compute", "macs_per_audio_second"), Column("CCR", "ccr"),
        Column("memory", "peak_rss_mib"),
    ),
    "conversation": (
        Column("ORC-WER", "orc_wer"), Column("cpWER", "cp_wer"), Column("turn count right", "turn_count_accuracy"),
        Column("over 2 turns", "turn_count_accuracy_over_2"), Column("end of turn p50", "endpoint_p50"),
        Column("end of turn p90", "endpoint_p90"), Column("cut early", "early_cut_rate"),
        Column("RTF", "rtf_streaming"), Column("compute", "macs_per_audio_second"), Column("memory", "peak_rss_mib"),
    ),
    "verification": (
        Column("EER", "eer"), Column("minDCF(0.01)", "min_dcf_p01"), Column("minDCF(0.05)", "min_dcf_p05"),
        Column("RTF", "rtf_offline"), Column("compute", "macs_per_audio_second"), Column("memory", "peak_rss_mib"),
    ),
    "finding": (
        Column("power", "finder_power"), Column("Jaccard", "finder_jaccard"), Column("recall", "finder_recall"),
        Column("precision", "finder_precision"), Column("false alarms", "finder_false_alarms"),
        Column("uncorrected", "finder_false_alarms_uncorrected"), Column("divides null", "finder_divides_null"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class SchemeView:
    """The cohorts of one cell under one scheme, worst first and those too small last, and the gap between them."""

    name: str
    cohorts: tuple[Measurement, ...]
    gap: Measurement | None
    problem: Measurement | None
    adjusted: Measurement | None = None
    """The ratio of the pair's rates between recordings that are alike."""

    @property
    def pair(self) -> tuple[str, str] | None:
        """Bottom and top cohort, where a pair was compared."""
        flags = dict(flag.split(":", 1) for flag in (self.gap.flags if self.gap else ()) if ":" in flag)
        return (flags["bottom"], flags["top"]) if {"bottom", "top"} <= flags.keys() else None

    @property
    def verdict(self) -> str:
        """What the gap means, in a few words; never more than its null allows."""
        gap = self.gap
        if gap is None or gap.value is None:
            return (gap.reason if gap else None) or (self.problem.reason if self.problem else None) or "no gap"
        judged = "" if gap.null_q95 is None else "above chance" if gap.value > gap.null_q95 else "within chance"
        return "; ".join(part for part in (judged, gap.reason if gap.status != "ok" else None) if part)


@dataclass(frozen=True)
class CellView:
    """A cell with its measurements."""

    cell: Cell
    measurements: tuple[Measurement, ...]

    @cached_property
    def _overall(self) -> dict[str, Measurement]:
        return {row.metric: row for row in self.measurements if (row.scheme, row.cohort) == (ALL, ALL)}

    def get(self, metric: str) -> Measurement | None:
        """The measurement over everybody, or None where the metric was not asked for."""
        return self._overall.get(metric)

    @property
    def label(self) -> str:
        """The model as a row names it: with the block in which it went on, and with its repair, if any."""
        train, repair = self._named(TRAIN), self._named(REPAIR) or self.cell.mitigation
        model = f"{self.cell.plugin} {train}" if train else self.cell.plugin
        return f"{model} + {repair}" if repair else model

    def _named(self, flag: str) -> str | None:
        return next((found.removeprefix(flag) for found in self.cell.flags if found.startswith(flag)), None)

    @property
    def status(self) -> str:
        """The status, with the reason where there is one."""
        word = status(self.cell.status)
        return f"{word}: {self.cell.reason}" if self.cell.reason else word

    @cached_property
    def schemes(self) -> tuple[SchemeView, ...]:
        """Every cohort scheme, by name; rates of gates by part and by level are none."""
        found: dict[str, list[Measurement]] = defaultdict(list)
        for row in self.measurements:
            if row.scheme != ALL:
                found[row.scheme].append(row)
        told = {name: rows for name, rows in found.items() if any(row.metric != GATES for row in rows)}
        return tuple(self._scheme(name, rows) for name, rows in sorted(told.items()))

    @property
    def compared(self) -> tuple[SchemeView, ...]:
        """Those whose cohorts are compared, or that say why not; slices of what was said are no cohorts."""
        return tuple(scheme for scheme in self.schemes if scheme.gap or scheme.problem)

    def _scheme(self, name: str, rows: Sequence[Measurement]) -> SchemeView:
        headline, gap = HEADLINE[self.cell.task], GAP[self.cell.task]
        cohorts = [row for row in rows if row.metric == headline and row.cohort != ACROSS]
        across = {row.metric: row for row in rows if row.cohort == ACROSS}
        return SchemeView(
            name, tuple(sorted(cohorts, key=_worst_first)), across.get(gap), across.get(headline), across.get(ADJUSTED)
        )


@dataclass(frozen=True)
class Group:
    """Cells that may share a table."""

    task: str
    corpus: str
    split: str
    device: str
    cells: tuple[CellView, ...]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The headline and every other metric that some cell has a row for."""
        first, *others = COLUMNS[self.task]
        return (first, *(column for column in others if any(view.get(column.metric) for view in self.cells)))

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """Circumstances that differ between the cells, in the order of :data:`AXES`."""
        return tuple(axis for axis in AXES if len({axis_text(view.cell, axis) for view in self.cells}) > 1)

    @property
    def title(self) -> str:
        return f"{self.task} · {self.corpus}/{self.split} · {self.device}"

    @property
    def constants(self) -> str:
        """What all cells have in common, as one line; defaults go without saying."""
        cell = self.cells[0].cell
        said = [
            axis for axis in AXES if axis not in self.varying and getattr(cell, axis) not in (None, _SILENT.get(axis))
        ]
        return ", ".join(f"{axis_title(axis)} {axis_text(cell, axis)}" for axis in said)


@dataclass(frozen=True)
class RunView:
    """A run with its cells."""

    run: Run
    cells: tuple[CellView, ...]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Cells by task, corpus, split and device; best headline first, cells without one last."""
        found: dict[tuple[str, str, str, str], list[CellView]] = defaultdict(list)
        for view in self.cells:
            found[view.cell.task, view.cell.corpus, view.cell.split, view.cell.device].append(view)
        return tuple(Group(*key, tuple(sorted(views, key=_rank))) for key, views in sorted(found.items()))

    @property
    def provenance(self) -> dict[str, str]:
        """Where the numbers come from, in words."""
        run, host = self.run, self.run.host
        commit = (run.git_sha or "unknown") + (" with uncommitted changes" if run.git_dirty else "")
        gpu = f", {host.gpu_model}" if host.gpu_model else ""
        return {
            "run": run.run_id,
            "suite": run.suite,
            "commit": commit,
            "earmark": run.earmark_version,
            "host": f"{host.id}: {host.cpu_model}, {host.n_cpus} CPUs, {host.memory_mib} MiB{gpu}",
            "normalizer": run.normalizer,
            "started": run.started_at,
            "finished": run.finished_at or "not yet: this run is incomplete",
            "load": _load(run),
            "command": " ".join(run.command),
        }


def load(folder: RunFolder) -> RunView:
    """A stored run; raises InputError where a file can't be read."""
    rows: dict[str, list[Measurement]] = defaultdict(list)
    for row in folder.read_measurements():
        rows[row.cell].append(row)
    return RunView(folder.read_run(), tuple(CellView(cell, tuple(rows[cell.cell])) for cell in folder.read_cells()))


def axis_title(axis: str) -> str:
    """A circumstance as a heading."""
    return {"chunk_ms": "chunk ms", "train_corpus": "trained on", "cohort_input": "cohort input"}.get(axis, axis)


def axis_text(cell: Cell, axis: str) -> str:
    """A cell's value of a circumstance, as text."""
    found: Any = getattr(cell, axis)
    if found is None:
        return ""
    return clean(json.dumps(found, sort_keys=True) if isinstance(found, dict) else found)


def gap_text(gap: Measurement | None) -> dict[str, str]:
    """The null bar and the smallest detectable gap of a gap, as numbers in its unit."""
    if gap is None:
        return {}
    parts = {"null_q95": gap.null_q95, "detectable": gap.detectable}
    return {name: number(gap.metric, amount) for name, amount in parts.items() if amount is not None}


def standing(row: Measurement) -> str:
    """Whether a cohort is served worse or better than all, by a test corrected for how many cohorts there are."""
    told = [flag.removeprefix(STANDS) for flag in row.flags if flag.startswith(STANDS)]
    words = {
        "worse": "worse than all",
        "better": "better than all",
        "only_uncorrected": "no longer once corrected",
    }
    return words.get(told[0], told[0]) if told else ""


def flags_of(views: Iterable[CellView]) -> tuple[str, ...]:
    """Every remark that some of these cells carry."""
    return tuple(sorted({flag for view in views for flag in view.cell.flags}))


def _worst_first(row: Measurement) -> tuple[bool, bool, float, str]:
    return row.status != "ok", row.value is None, -(row.value or 0.0), row.cohort


def _rank(view: CellView) -> tuple[bool, float, str, str]:
    row = view.get(HEADLINE[view.cell.task])
    amount = row.value if row is not None else None
    return amount is None, amount or 0.0, view.label, view.cell.cell


def _load(run: Run) -> str:
    state = run.environment
    end = "" if state.load_end is None else f" to {state.load_end:.2f}"
    steal = "" if state.steal_fraction is None else f", {100 * state.steal_fraction:.1f} % stolen"
    return f"{state.load_start:.2f}{end} on {run.host.n_cpus} CPUs, {state.threads} model threads{steal}"
