"""A suite's cells: every combination that it asks for, each with the identity under which it is reused. Pure.

Lists multiply: every plugin, seed, corpus, condition, device and chunk size named makes a cell of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from earmark.bench.api import InputError, ModelSpec
from earmark.bench.registry import unknown
from earmark.bench.suite import Block, Circumstances, Measure, MetricGroup, Suite, Train


class Planned(Block):
    """A cell that is to be measured: its identity (everything but the last block) and how it is to be scored."""

    cell: str
    train_key: str
    task: Literal["recognition", "conversation", "verification"]
    plugin: str
    preset: str
    options: dict[str, Any]
    vocabulary: Literal["corpus"] | None
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
    timing_recordings: int | None
    limit: int | None
    exclude: dict[str, list[str]]

    timeout_minutes: float
    memory_mib: int | None
    cohorts: list[str]
    metrics: list[MetricGroup]


def digest(value: Any) -> str:
    """Hex digest (16 digits) of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(
    suite: Suite,
    *,
    specs: Mapping[str, ModelSpec],
    plugin_digests: Mapping[str, str],
    fingerprints: Mapping[str, str],
    harness_digest: str,
) -> tuple[Planned, ...]:
    """Every cell of the suite, in order.

    Args:
        specs: model specs by name.
        plugin_digests: by model name, a digest of the plugin's code, shared blocks and required packages.
        fingerprints: content fingerprint by corpus name.
        harness_digest: digest of the code that observes.
    """
    cells: dict[str, Planned] = {}
    for block in suite.measure:
        for cell in _cells_of(suite, block, specs, plugin_digests, fingerprints, harness_digest):
            known = cells.get(cell.cell)
            cells[cell.cell] = _merged(known, cell) if known else cell
    return tuple(cells.values())


def plan_digest(suite: Suite, cells: Iterable[Planned]) -> str:
    """What makes two runs "the same plan": the same cells, scored the same way."""
    return digest([suite.name, suite.normalizer, [cell.model_dump(mode="json") for cell in cells]])


def _cells_of(
    suite: Suite,
    block: Measure,
    specs: Mapping[str, ModelSpec],
    plugin_digests: Mapping[str, str],
    fingerprints: Mapping[str, str],
    harness_digest: str,
) -> Iterator[Planned]:
    around = _circumstances(suite.defaults, block)
    trained = [(train, name) for train in suite.train if train.id in block.of for name in train.plugins]
    axes = itertools.product(block.corpus, around.condition, trained, suite.seeds, around.device, around.chunk_ms)
    for corpus, condition, (train, name), seed, device, chunk_ms in axes:
        spec = specs[name]
        identity = {
            "train_key": train_key(train, name, spec, plugin_digests[name], seed),
            "task": spec.task,
            "plugin": name,
            "preset": train.preset or spec.presets[0],
            "options": train.options,
            "vocabulary": train.vocabulary,
            "corpus": corpus_label(corpus),
            "corpus_fingerprint": fingerprints[corpus],
            "split": block.split,
            "condition": condition,
            "seed": seed,
            "device": device,
            "threads": around.threads,
            "chunk_ms": None if spec.task == "verification" else chunk_ms,
            "pacing": "offline" if spec.task == "verification" else around.pacing,
            "passes": around.passes,
            "timing_recordings": around.timing_recordings,
            "limit": block.limit or None,
            "exclude": block.exclude,
        }
        yield Planned.model_validate(
            identity
            | {"cell": digest([identity, harness_digest])}
            | {"timeout_minutes": around.timeout_minutes, "memory_mib": around.memory_mib}
            | {"cohorts": block.cohorts, "metrics": block.metrics}
        )


def train_key(train: Train, name: str, spec: ModelSpec, plugin_digest: str, seed: int) -> str:
    """Identity of a checkpoint: the same key means that training would give the same weights."""
    preset = train.preset or spec.presets[0]
    if preset not in spec.presets:
        raise unknown(f"preset of {name}", preset, spec.presets)
    if spec.task != train.task:
        raise InputError(
            f"{name} is a {spec.task} model, not {train.task}", where=f"train {train.id!r}", fix="mend task"
        )
    return digest([plugin_digest, name, preset, train.options, train.vocabulary, train.corpus, seed, train.steps])


def corpus_label(corpus: str) -> str:
    """How a corpus is called in the tables: a name as it is, a path by its last part (paths differ by machine)."""
    return Path(corpus).name or corpus


def _circumstances(defaults: Circumstances, block: Measure) -> Circumstances:
    own = {name: getattr(block, name) for name in Circumstances.model_fields if getattr(block, name) is not None}
    return defaults.model_copy(update=own)


def _merged(first: Planned, second: Planned) -> Planned:
    cohorts = list(dict.fromkeys([*first.cohorts, *second.cohorts]))
    metrics = list(dict.fromkeys([*first.metrics, *second.metrics]))
    return first.model_copy(update={"cohorts": cohorts, "metrics": metrics})
