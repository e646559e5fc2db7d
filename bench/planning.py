"""A suite's cells: every combination that it asks for, each with the identity under which it is reused. Pure.

Lists multiply: every plugin, seed, corpus, condition, device and chunk size named makes a cell of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from earmark.bench.api import InputError, ModelSpec
from earmark.bench.corpora.naming import label_of
from earmark.bench.registry import unknown
from earmark.bench.suite import PAIR_WITHIN, Block, Circumstances, Measure, MetricGroup, Recipe, Suite, Train

CohortInput = Literal["none", "known", "hidden"]


class Planned(Block):
    """A cell that is to be measured: its identity (everything but the last block) and how it is to be scored."""

    cell: str
    train_key: str
    task: Literal["recognition", "conversation", "verification", "finding"]
    plugin: str
    preset: str
    options: dict[str, Any]
    vocabulary: Literal["corpus"] | None = None
    train_corpus: str | None = None
    steps: int | None = None
    corpus: str
    corpus_fingerprint: str
    split: str
    condition: str
    seed: int
    device: str
    threads: int
    chunk_ms: int | None
    pacing: Literal["virtual", "real", "offline"]
    passes: int
    timing_recordings: int | None = None
    concurrent: bool = False
    limit: int | None = None
    exclude: dict[str, list[str]] = Field(default_factory=dict)
    pair_within: list[str] = PAIR_WITHIN
    world: dict[str, Any] | None = None
    """What is drawn, where a finder is tried without audio."""
    mitigation: str | None = None
    repair: str | None = None
    repair_key: str | None = None
    cohort_input: CohortInput = "none"

    timeout_minutes: float
    memory_mib: int | None = None
    cohorts: list[str] = Field(default_factory=list)
    found: dict[str, str] = Field(default_factory=dict)
    """Of ``cohorts``, those that a finder finds: their scheme keys."""
    baseline: str | None = None
    """Of a repaired model, the cell of the model as it was."""
    train: str | None = None
    """Of a model that went on from another block's, the block in which it did."""
    slices: list[str] = Field(default_factory=list)
    metrics: list[MetricGroup] = Field(default_factory=list)


class Training(Block):
    """A checkpoint that is to be there before its cells are measured; equal keys mean equal weights."""

    train_key: str
    task: Literal["recognition", "conversation", "verification"]
    plugin: str
    preset: str
    options: dict[str, Any]
    seed: int
    corpus: str
    """As it was asked for: a name or a path. Not part of the identity; the fingerprint is."""
    corpus_fingerprint: str
    exclude: dict[str, list[str]]
    voices: int
    silence_s: float | None
    mixtures: int | None = None
    single_steps: int = 0
    pieces: int | Literal["words"]
    steps: int
    """0 where another checkpoint's weights are taken as they are, with other options."""
    recipe: Recipe
    device: str
    base: Training | None = None
    """The training that this one goes on from."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Of the code and the content that identities rest on."""

    plugins: Mapping[str, str]
    """By model name: its code, the shared blocks and the packages it requires."""
    corpora: Mapping[str, str]
    """Content fingerprint by corpus name or path."""
    harness: str
    """The code that observes."""
    training: str = ""
    """The code that trains."""
    fairness: Mapping[str, str] = field(default_factory=dict)
    """By name, the code of finders and mitigations."""
    areas: Mapping[str, str] = field(default_factory=dict)
    """By corpus name or path, what it tells of areas."""
    worlds: str = ""
    """The code that draws worlds and judges what is found in them."""


def digest(value: Any) -> str:
    """Hex digest (16 digits) of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of a suite that is measured, and what its repair, if any, adds to the identity of a cell."""

    train: Train
    name: str
    seed: int
    repair: Mapping[str, Any] = field(default_factory=dict)


def plan(suite: Suite, *, specs: Mapping[str, ModelSpec], digests: Digests) -> tuple[Planned, ...]:
    """Every cell of the suite whose model is as it was trained, in order; ``specs`` are model specs by name."""
    return merged(
        cell
        for block in suite.measure
        for subject in subjects(suite, block.of)
        if block.seeds is None or subject.seed in block.seeds
        for cell in cells_of(suite, block, subject, specs, digests)
    )


def merged(cells: Iterable[Planned]) -> tuple[Planned, ...]:
    """Each cell once, scored in every way that somebody asked for."""
    found: dict[str, Planned] = {}
    for cell in cells:
        known = found.get(cell.cell)
        found[cell.cell] = _merged(known, cell) if known else cell
    return tuple(found.values())


def subjects(suite: Suite, blocks: Iterable[str]) -> Iterator[Subject]:
    """Every model and seed of these train blocks."""
    wanted = set(blocks)
    for train in suite.train:
        if train.id in wanted:
            yield from (Subject(train, name, seed) for name in train.plugins for seed in suite.seeds)


def trainings(suite: Suite, *, specs: Mapping[str, ModelSpec], digests: Digests) -> dict[str, Training]:
    """By train key, every checkpoint that somebody has to train: for measuring, for finding, for repairing."""
    wanted = {name for block in suite.measure for name in block.of}
    wanted |= {block.of for block in suite.repair} | {block.reference.train for block in suite.cohorts}
    learning = (subject for subject in subjects(suite, wanted) if subject.train.learns)
    found = [one for s in learning for one in lineage(training_of(suite, s, specs, digests))]
    return {training.train_key: training for training in found}


def lineage(training: Training | None) -> Iterator[Training]:
    """A training after those that it goes on from."""
    if training is not None:
        yield from lineage(training.base)
        yield training


def plan_digest(suite: Suite, cells: Iterable[Planned]) -> str:
    """What makes two runs "the same plan": the same cells, scored the same way."""
    return digest([suite.name, suite.normalizer, [cell.model_dump(mode="json") for cell in cells]])


def cells_of(
    suite: Suite, block: Measure, subject: Subject, specs: Mapping[str, ModelSpec], digests: Digests
) -> Iterator[Planned]:
    """The cells in which a measure block wants to see a model."""
    around = _circumstances(suite.defaults, block)
    train, name, seed = subject.train, subject.name, subject.seed
    axes = itertools.product(block.corpus, around.condition, around.device, around.chunk_ms)
    for corpus, condition, device, chunk_ms in axes:
        spec = specs[name]
        training = training_of(suite, subject, specs, digests) if train.learns else None
        identity = {
            "train_key": training.train_key if training else _untrained_key(train, spec, digests, seed),
            "task": spec.task,
            "plugin": name,
            "preset": training.preset if training else _preset(train, spec),
            "options": train.options,
            "vocabulary": train.vocabulary,
            "train_corpus": corpus_label(training.corpus) if training else None,
            "steps": train.steps,
            "corpus": corpus_label(corpus),
            "corpus_fingerprint": digests.corpora[corpus],
            "split": block.split,
            "condition": condition,
            "seed": seed,
            "device": device,
            "threads": around.threads,
            "chunk_ms": None if spec.task == "verification" else chunk_ms,
            "pacing": "offline" if spec.task == "verification" else around.pacing,
            "passes": around.passes,
            "timing_recordings": around.timing_recordings,
            "concurrent": around.concurrent,
            "limit": block.limit or None,
            "exclude": block.exclude,
            **({"pair_within": block.pair_within} if spec.task == "verification" else {}),
            **subject.repair,
        }
        yield Planned.model_validate(
            identity
            | {"cell": digest([identity, digests.harness])}
            | {"timeout_minutes": around.timeout_minutes, "memory_mib": around.memory_mib}
            | {"cohorts": block.cohorts, "slices": block.slices, "metrics": block.metrics}
            | {"train": train.id if train.of else None}
        )


def _untrained_key(train: Train, spec: ModelSpec, digests: Digests, seed: int) -> str:
    """Identity of the weights of a model that nobody trains here."""
    preset = _preset(train, spec)
    return digest([digests.plugins[spec.name], spec.name, preset, train.options, train.vocabulary, seed])


def training_of(suite: Suite, subject: Subject, specs: Mapping[str, ModelSpec], digests: Digests) -> Training:
    """Trained once, on the first device of the suite, wherever it is measured; equal keys mean equal weights."""
    train, spec = subject.train, specs[subject.name]
    base = _base_of(suite, subject, specs, digests)
    corpus = train.corpus or (base.corpus if base else None)
    assert corpus is not None
    identity: dict[str, Any] = {
        "task": spec.task,
        "plugin": spec.name,
        "preset": _preset(train, spec, base),
        "options": train.options,
        "seed": subject.seed,
        "corpus_fingerprint": digests.corpora[corpus],
        "exclude": train.exclude,
        "voices": train.voices,
        "silence_s": train.silence_s,
        "mixtures": train.mixtures,
        "single_steps": train.single_steps,
        "pieces": train.pieces,
        "steps": train.steps or 0,
        "recipe": train.recipe.model_dump(mode="json"),
        "device": suite.defaults.device[0],
    }
    key = digest([digests.plugins[spec.name], digests.training, identity, *([base.train_key] if base else [])])
    return Training.model_validate({**identity, "train_key": key, "corpus": corpus, "base": base})


def _base_of(suite: Suite, subject: Subject, specs: Mapping[str, ModelSpec], digests: Digests) -> Training | None:
    if subject.train.of is None:
        return None
    block = next(block for block in suite.train if block.id == subject.train.of)
    before = Subject(block, block.base_plugin(subject.name), subject.seed)
    return training_of(suite, before, specs, digests)


def _preset(train: Train, spec: ModelSpec, base: Training | None = None) -> str:
    preset = train.preset or (base.preset if base else spec.presets[0])
    if preset not in spec.presets:
        raise unknown(f"preset of {spec.name}", preset, spec.presets)
    if spec.task != train.task:
        what = f"{spec.name} is a {spec.task} model, not {train.task}"
        raise InputError(what, where=f"train {train.id!r}", fix="mend task")
    return preset


def corpus_label(corpus: str) -> str:
    """How a corpus is called in the tables: a name as it is, a path by its last part (paths differ by machine)."""
    return label_of(corpus)


def _circumstances(defaults: Circumstances, block: Measure) -> Circumstances:
    own = {name: getattr(block, name) for name in Circumstances.model_fields if getattr(block, name) is not None}
    return defaults.model_copy(update=own)


def _merged(first: Planned, second: Planned) -> Planned:
    cohorts = list(dict.fromkeys([*first.cohorts, *second.cohorts]))
    slices = list(dict.fromkeys([*first.slices, *second.slices]))
    metrics = list(dict.fromkeys([*first.metrics, *second.metrics]))
    found = {**first.found, **second.found}
    return first.model_copy(update={"cohorts": cohorts, "slices": slices, "metrics": metrics, "found": found})
