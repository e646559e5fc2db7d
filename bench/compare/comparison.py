"""Compares two runs: pairs their cells, asks each family of metrics what changed, and judges all of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from earmark.bench import report
from earmark.bench.api import InputError
from earmark.bench.compare.changes import Change, judge, of_difference, tested
from earmark.bench.compare.matching import Matched, Pair, Side, match
from earmark.bench.compare.reading import columns
from earmark.bench.compare.seeds import Seeds
from earmark.bench.compare.slices import KINDS, kind_changes, slice_changes
from earmark.bench.compare.talks import FIGURES as TALKS
from earmark.bench.compare.talks import KINDS as TALK_KINDS
from earmark.bench.compare.talks import Conversed, talk_changes
from earmark.bench.compare.timing import CHUNKS, FIGURES, embedding_changes, streaming_changes
from earmark.bench.compare.voices import Trials, voice_changes
from earmark.bench.compare.words import Heard, Moved, character_changes, schemes_of, word_changes
from earmark.bench.metrics.names import METRICS, metric
from earmark.bench.metrics.statistics import per_speaker
from earmark.bench.rows import Cell, Measurement, Run

ALPHA = 0.05
LEVEL = 0.95
N_MOVED = 5
OTHER_MACHINE = "not the same machine"
UNTESTED = "no paired test of this metric"
ON_REQUEST = "tested where --metric names it"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from run A to run B, everything that was looked at, in order of the cells.

    ``moved`` are the utterances whose errors changed most; ``notes`` say what could not be compared.
    """

    a: Run
    b: Run
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    notes: tuple[str, ...]
    alpha: float

    @property
    def worse(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.verdict == "worse")

    @property
    def better(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.verdict == "better")

    def to_json(self) -> dict[str, Any]:
        ends = {
            name: {"run_id": run.run_id, "git_sha": run.git_sha, "suite": run.suite}
            for name, run in (("a", self.a), ("b", self.b))
        }
        return ends | {
            "alpha": self.alpha,
            "worse": len(self.worse),
            "better": len(self.better),
            "changes": [change.to_json() for change in self.changes],
            "moved": [moved.to_json() for moved in self.moved],
            "notes": list(self.notes),
        }


def compare(
    a: str | Path,
    b: str | Path,
    *,
    results: Path = Path("results"),
    metrics: Sequence[str] = (),
    alpha: float = ALPHA,
    n_moved: int = N_MOVED,
) -> Comparison:
    """Compare two stored runs, B with A.

    Args:
        a, b: a run as ``query.find_run`` takes it, or its folder; with ``:MODEL`` behind it only that model's cells.
        metrics: look only at these; all that can be compared otherwise.
        alpha: the share of comparisons without any difference that may call something better or worse.
        n_moved: how many of the utterances that changed most are kept, over all cells.
    Raises:
        InputError: an unknown run, model or metric, or runs that are unlike; it says in what.
    """
    for name in metrics:
        metric(name)
    sides = Side.read(results, str(a)), Side.read(results, str(b))
    matched = match(*sides)
    return _Comparing(*sides, frozenset(metrics), n_moved).result(matched, alpha)


class _Comparing:
    """One comparison while it is made."""

    def __init__(self, a: Side, b: Side, metrics: frozenset[str], n_moved: int) -> None:
        self.a, self.b, self.metrics, self.n_moved = a, b, metrics, n_moved
        self.measured = a.measurements(), b.measurements()
        self.moved: list[Moved] = []
        self.seeds = Seeds()
        self.notes: list[str] = []
        self.timed = a.same_machine == b.same_machine
        if not self.timed:
            self._other_machine()

    def result(self, matched: Matched, alpha: float) -> Comparison:
        found = [change for pair in matched.pairs for change in self._pair(pair)]
        changes = judge([*found, *(self.seeds.changes(LEVEL) if self._wants("wer") else ())], alpha)
        for where, cells in (("A", matched.only_a), ("B", matched.only_b)):
            self.notes += [f"only in {where}: {cell.plugin} ({cell.cell})" for cell in cells]
        ranked = sorted(self.moved, key=lambda m: -abs(m.errors_after - m.errors_before))
        return Comparison(self.a.run, self.b.run, changes, tuple(ranked[: self.n_moved]), tuple(self.notes), alpha)

    def _other_machine(self) -> None:
        names = [name for name in self.metrics if METRICS[name].kind in ("timing", "memory")]
        hosts = [f"{s.run.host.cpu_model} ({s.run.host.id}){_gpu(s.run)}" for s in (self.a, self.b)]
        told = f"{OTHER_MACHINE}: {hosts[0]} and {hosts[1]}"
        if names:
            what = f"{', '.join(names)} can't be compared: {told}"
            raise InputError(what, where="compare", fix="measure both on one machine")
        self.notes.append(f"timings and memory are not compared: {told}")

    def _wants(self, *names: str) -> bool:
        return not self.metrics or bool(self.metrics.intersection(names))

    def _pair(self, pair: Pair) -> Iterator[Change]:
        common: dict[str, Any] = {"label": pair.label, "cells": (pair.a.cell, pair.b.cell)}
        if "ok" not in (pair.a.status, pair.b.status):
            self.notes.append(f"not compared: {pair.label} is {pair.a.status} in A and {pair.b.status} in B")
        elif pair.a.status != pair.b.status:
            yield _stopped(pair, common)
        else:
            found = [change for change in self._changes(pair, common) if self._wants(change.metric)]
            yield from found
            yield from self._others(pair, common, {change.metric for change in found})

    def _changes(self, pair: Pair, common: dict[str, Any]) -> Iterator[Change]:
        folders = self.a.folder.observations(pair.a.cell), self.b.folder.observations(pair.b.cell)
        seed = int.from_bytes(sha256(f"{pair.a.cell} {pair.b.cell}".encode()).digest()[:4], "big")
        wanted = self.a.planned[pair.a.cell].cohorts
        normalizer = self.a.run.normalizer
        if pair.a.task == "verification":
            if self._wants("eer"):
                schemes = schemes_of(wanted, *folders, table="embeddings")
                yield from voice_changes(Trials.read(*folders), schemes, common, LEVEL, seed)
            if self.timed and self._wants("rtf_offline"):
                yield from embedding_changes(folders, common, LEVEL)
        elif pair.a.task == "recognition":
            if self._wants("wer", "cer", *KINDS):
                yield from self._texts(pair, folders, common, seed)
            if self.timed and self._wants(*FIGURES):
                yield from streaming_changes((pair.a, pair.b), folders, normalizer, common, LEVEL)
        elif pair.a.task == "conversation":
            if self._wants(*TALKS):
                yield from self._talks(folders, common, seed)
            if self.timed and self._wants(*CHUNKS):
                yield from streaming_changes((pair.a, pair.b), folders, normalizer, common, LEVEL, CHUNKS)
        if pair.a.task != "finding" and self._wants("macs_per_audio_second"):
            yield from _work_changes(pair.a, folders, common, seed)

    def _texts(self, pair: Pair, folders: tuple[Path, Path], common: dict[str, Any], seed: int) -> Iterator[Change]:
        heard = Heard.read(*folders, self.a.run.normalizer)
        self.seeds.add(pair.model_and_place, heard)
        wanted = self.a.planned[pair.a.cell].cohorts
        schemes = schemes_of(wanted, *folders)
        yield from word_changes(heard, schemes, common, seed)
        slices = [name for name in self.a.planned[pair.a.cell].slices if name not in {s.name for s in schemes}]
        yield from slice_changes(heard, folders[0], slices, common, seed)
        yield from character_changes(heard, common, seed)
        yield from kind_changes(heard, self.metrics, common, seed)
        self.moved += heard.moved(common["label"], self.n_moved)

    def _talks(self, folders: tuple[Path, Path], common: dict[str, Any], seed: int) -> Iterator[Change]:
        talks = Conversed.read(*folders, self.a.run.normalizer)
        yield from talk_changes(talks, common, seed, self.metrics)
        self.moved += talks.moved(common["label"], self.n_moved)

    def _others(self, pair: Pair, common: dict[str, Any], done: set[str]) -> Iterator[Change]:
        """Figures over everybody that have no test here, as the tables have them."""
        before, after = (_overall(m.get(c.cell, ())) for m, c in zip(self.measured, (pair.a, pair.b), strict=True))
        for name in METRICS:
            if name in done or name not in before or name not in after or not self._wants(name):
                continue
            kind = METRICS[name].kind
            if kind == "timing" or (kind == "memory" and not self.timed):
                continue
            why = ON_REQUEST if name in {*KINDS, *TALK_KINDS} else UNTESTED
            reason = why if kind == "quality" and before[name] != after[name] else None
            yield Change(**common, metric=name, before=before[name], after=after[name], reason=reason)


def _work_changes(cell: Cell, folders: tuple[Path, Path], common: dict[str, Any], seed: int) -> Iterator[Change]:
    """The change of executed MACs for a second of audio, by speaker; none where a side does not count them."""
    table = "embeddings" if cell.task == "verification" else "utterances"
    rows = columns(folders[0], table, ["utterance_id", "speaker", "audio_s"]).to_pylist()
    sides = [_macs(folder) for folder in folders]
    rows = [row for row in rows if all(row["utterance_id"] in side for side in sides)]
    if not rows:
        return
    speakers = [row["speaker"] or f"utterance {row['utterance_id']}" for row in rows]
    audio = [row["audio_s"] for row in rows]
    before, after = (per_speaker(speakers, [side[row["utterance_id"]] for row in rows], audio) for side in sides)
    found = tested(before.errors, after.errors, before.units, seed=seed)
    yield Change(**common, metric="macs_per_audio_second", **of_difference(found), n_speakers=len(before.speakers))


def _macs(folder: Path) -> dict[str, float]:
    sums = columns(folder, "work", ["utterance_id", "macs"]).group_by("utterance_id").aggregate([("macs", "sum")])
    return dict(zip(sums["utterance_id"].to_pylist(), map(float, sums["macs_sum"].to_pylist()), strict=True))


def _stopped(pair: Pair, common: dict[str, Any]) -> Change:
    """A cell that one side could not measure: worse where that is B."""
    broken = pair.b if pair.b.status != "ok" else pair.a
    reason = f"{broken.status}: {broken.reason}" if broken.reason else broken.status
    verdict: Any = "worse" if broken is pair.b else "better"
    where = "B" if broken is pair.b else "A"
    headline = report.HEADLINE[pair.a.task]
    return Change(
        **common, metric=headline, before=None, after=None, verdict=verdict, reason=f"{reason} in {where}"
    )  # fmt: skip


def _overall(rows: Sequence[Measurement]) -> dict[str, float]:
    return {
        row.metric: row.value
        for row in rows
        if (row.scheme, row.cohort) == (report.ALL, report.ALL) and row.value is not None
    }


def _gpu(run: Run) -> str:
    return f", {run.host.gpu_model}" if run.host.gpu_model else ""
