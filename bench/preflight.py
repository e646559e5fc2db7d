"""What is settled before anything is measured: suite, plugins, corpora, plan, and whether they fit together."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from earmark.bench import progress, provenance, registry
from earmark.bench.api import Corpus, FairnessSpec, InputError, ModelSpec
from earmark.bench.corpora import schema
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.corpora.conditions import parse_condition
from earmark.bench.corpora.load import load_corpus
from earmark.bench.metrics.normalize import normalize
from earmark.bench.observe.selection import select_rows, training_rows
from earmark.bench.observe.trials import check_speakers
from earmark.bench.observe.verification import voice_of
from earmark.bench.planning import Digests, Planned, Training, digest, merged, plan, plan_digest, trainings
from earmark.bench.protocol import Planner, Protocol
from earmark.bench.selecting import with_corpus, with_every, with_plugins
from earmark.bench.store import Plan
from earmark.bench.suite import Suite, read_suite
from earmark.bench.worlds.plan import CORPUS, world_cells

MIB = 1024 * 1024
SCORES_TALKS = ("meeteval",)
BYTES_PER_CHUNK = 40
"""Measured on finished runs: Parquet bytes per chunk and pass, its share of tokens included."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as the command line takes it."""

    suite: str
    corpus: str | None = None
    plugins: tuple[str, ...] = ()
    plugin_files: tuple[Path, ...] = ()
    seeds: tuple[int, ...] = ()
    device: tuple[str, ...] = ()
    limit: int | None = None
    overrides: tuple[str, ...] = ()
    results: Path = Path("results")
    new: bool = False
    real_time: bool = False
    quiet: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be carried out."""

    request: Request
    suite: Suite
    cells: tuple[Planned, ...]
    corpora: Mapping[str, Corpus]
    plugins: Mapping[str, registry.Plugin]
    plugin_digests: Mapping[str, str] = field(default_factory=dict)
    trainings: Mapping[str, Training] = field(default_factory=dict)
    """By train key, the checkpoints that cells need."""
    protocol: Protocol = field(default_factory=Protocol)
    """What is found and repaired before the rest is measured."""
    unheard: Mapping[str, str] = field(default_factory=dict)
    """Cells that cohorts are found or repairs chosen by, and for which there is no recording: why not."""

    @property
    def heard(self) -> Sequence[Planned]:
        """The cells for which audio is heard."""
        return [cell for cell in self.cells if cell.world is None and cell.cell not in self.unheard]

    @property
    def plan(self) -> Plan:
        return Plan(self.suite, self.cells)

    @property
    def digest(self) -> str:
        return plan_digest(self.suite, self.cells)

    def corpus_of(self, cell: Planned) -> tuple[str, Corpus]:
        """The name or path a cell's corpus was asked for by, and the corpus."""
        if cell.world is not None:
            return CORPUS, self.corpora[CORPUS]
        return next((name, c) for name, c in self.corpora.items() if c.fingerprint == cell.corpus_fingerprint)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan is going to cost: audio to stream, and disk for its observations."""

    n_cells: int
    audio_s: float
    disk_mib: float
    free_mib: float


def prepare(request: Request) -> Prepared:
    """Read, load and plan what was asked for; InputError where it does not fit together."""
    found = registry.scan(request.plugin_files)
    suite = _suite(request, registry.models(found))
    normalize("", suite.normalizer)
    for condition in {c for block in suite.measure for c in (block.condition or suite.defaults.condition)}:
        parse_condition(condition)
    wanted = [name for block in suite.train for name in block.plugins]
    wanted += [block.embedder for block in suite.cohorts if block.embedder]
    names = {name: found.named(name, "model") for name in wanted}
    fairness = {name: found.named(name, "fairness") for name in _methods(suite)}
    corpora = {name: _load(name, request) for name in suite.corpora()}
    if suite.world:
        corpora[CORPUS] = Corpus(CORPUS, schema.to_dataset([]), "", license="")
    specs = {name: plugin.spec for name, plugin in names.items() if isinstance(plugin.spec, ModelSpec)}
    digests = Digests(
        plugins={name: provenance.plugin_digest(plugin) for name, plugin in names.items()},
        corpora={name: corpus.fingerprint for name, corpus in corpora.items()},
        harness=provenance.harness_digest(),
        training=provenance.training_digest(),
        areas={name: digest(dict(corpus.area_attributes)) for name, corpus in corpora.items()},
        fairness={name: provenance.plugin_digest(plugin) for name, plugin in fairness.items()},
        worlds=provenance.worlds_digest(),
    )
    methods = {name: plugin.spec for name, plugin in fairness.items() if isinstance(plugin.spec, FairnessSpec)}
    planner = Planner(suite, specs, methods, digests)
    protocol = planner.plan()
    _check_possible(suite, specs, methods)
    tried = world_cells(suite, methods, digests)
    measured = merged([*plan(suite, specs=specs, digests=digests), *protocol.cells, *tried])
    cells = planner.with_found(measured, protocol.findings)
    to_train = trainings(suite, specs=specs, digests=digests)
    every = {**names, **{f"{name} ({plugin.kind})": plugin for name, plugin in fairness.items()}}
    known = {**digests.plugins, **{f"{name} (fairness)": text for name, text in digests.fairness.items()}}
    prepared = Prepared(request, suite, cells, corpora, every, known, to_train, protocol)
    prepared = replace(prepared, unheard=_unheard(prepared))
    _check_corpora(prepared)
    return prepared


def estimate(prepared: Prepared) -> Estimate:
    """Audio and disk of a plan, from the corpus and the chunk sizes."""
    audio_s = disk = 0.0
    for cell in prepared.heard:
        durations = [row["duration_s"] for row in select_rows(prepared.corpus_of(cell)[1], cell)]
        timed = sorted(durations, reverse=True)[: cell.timing_recordings]
        streamed_s = sum(durations) + (cell.passes - 1) * sum(timed)
        audio_s += streamed_s
        disk += streamed_s * 1000 / (cell.chunk_ms or 1000) * BYTES_PER_CHUNK + 1000 * len(durations)
    folder = next(p for p in [request_root(prepared), *request_root(prepared).parents] if p.exists())
    return Estimate(len(prepared.cells), audio_s, disk / MIB, shutil.disk_usage(folder).free / MIB)


def request_root(prepared: Prepared) -> Path:
    return prepared.request.results.absolute()


def check_disk(cost: Estimate) -> None:
    """Refuse a run that the disk can't hold."""
    if cost.disk_mib > cost.free_mib:
        raise InputError(
            f"the run needs about {cost.disk_mib:.0f} MiB, {cost.free_mib:.0f} MiB are free",
            where="disk",
            fix="free some (earmark cache prune) or choose --results on another disk",
        )


def _suite(request: Request, specs: Mapping[str, ModelSpec]) -> Suite:
    overrides = list(request.overrides)
    if request.seeds:
        overrides.append(f"seeds=[{', '.join(map(str, request.seeds))}]")
    if request.device:
        overrides.append("device=[" + ", ".join(f'"{name}"' for name in request.device) + "]")
    if request.limit is not None:
        overrides.append(f"measure.limit={request.limit}")
    if request.real_time:
        overrides.append("pacing=real")
    suite = with_every(read_suite(request.suite, overrides), specs)
    if request.plugins:
        suite = with_plugins(suite, request.plugins, specs)
    return with_corpus(suite, request.corpus) if request.corpus else suite


def _methods(suite: Suite) -> list[str]:
    tried = [name for block in suite.world for name in block.finders]
    return [*(block.finder for block in suite.cohorts), *(block.method for block in suite.repair), *tried]


def _check_possible(suite: Suite, specs: Mapping[str, ModelSpec], methods: Mapping[str, FairnessSpec]) -> None:
    """What can't be done is said before the work starts."""
    for block in suite.cohorts:
        reference = specs[block.reference.plugin]
        if reference.task != "recognition":
            what = f"{reference.name} is a {reference.task} model, and cohorts are found by word errors"
            raise InputError(what, where=f"cohorts {block.id!r}", fix="name a recognition model as reference")
        if block.embedder and specs[block.embedder].task != "verification":
            what = f"{block.embedder} is no verification model"
            raise InputError(what, where=f"cohorts {block.id!r}", fix="name one as embedder")
    if any(block.task == "conversation" for block in suite.train) and registry.missing_packages(SCORES_TALKS):
        what = f"conversations are scored with {', '.join(SCORES_TALKS)}, which is not installed"
        raise InputError(what, where=f"suite {suite.name}", fix="pip install 'earmark[conversations]'")
    for repair in suite.repair:
        for name in repair.plugins:
            if specs[name].task not in methods[repair.method].tasks:
                what = f"{repair.method} repairs no {specs[name].task} models such as {name}"
                raise InputError(what, where=f"repair {repair.id!r}", fix="choose another method")


def _load(name: str, request: Request) -> Corpus:
    with progress.shown(f"corpus {name}", quiet=request.quiet) as advance:
        return load_corpus(name, cache=cache_dir(), progress=advance)


def _unheard(prepared: Prepared) -> dict[str, str]:
    """A corpus too small for cohorts is measured all the same, and its cohorts say why there are none."""
    found = {}
    for cell in (*prepared.protocol.finding, *prepared.protocol.choosing):
        try:
            select_rows(prepared.corpus_of(cell)[1], cell)
        except InputError as error:
            found[cell.cell] = str(error)
    return found


def _check_corpora(prepared: Prepared) -> None:
    for training in prepared.trainings.values():
        training_rows(prepared.corpora[training.corpus], training)
    for cell in prepared.heard:
        corpus = prepared.corpus_of(cell)[1]
        rows = select_rows(corpus, cell)
        if cell.task == "verification" and corpus.trials is None:
            where = f"corpus {corpus.name}, split {cell.split}"
            check_speakers([voice_of(row) for row in rows if row["speaker"]], where)


def by_split(corpus: Corpus) -> Mapping[str, Sequence[str]]:
    """The speakers of each split, sorted."""
    found: dict[str, set[str]] = {}
    for split, speaker in zip(schema.column(corpus, "split"), schema.column(corpus, "speaker"), strict=True):
        found.setdefault(split, set()).update([speaker] if speaker else [])
    return {split: sorted(speakers) for split, speakers in sorted(found.items())}


def recordings_by_split(corpus: Corpus) -> Mapping[str, int]:
    """How many recordings each split has."""
    return Counter(schema.column(corpus, "split"))
