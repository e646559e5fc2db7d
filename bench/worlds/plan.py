"""The cells of a suite in which cohort finders are tried in worlds without audio: each truth, and a world without one.

A finder is tried in the worlds whose truth it could see by what its ``SPEC`` says it needs: places, areas or voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earmark.bench.api import FairnessSpec, InputError
from earmark.bench.planning import Digests, Planned, digest
from earmark.bench.suite import Suite
from earmark.bench.suite import World as Block
from earmark.bench.worlds.world import SPLITS, World

CORPUS = "error-world"
NULL = "nothing"
"""The condition of a world in which nobody is worse off."""
SEEN_BY: Mapping[str, tuple[str, ...]] = {
    "place": ("rectangle", "rotated"), "area": ("attribute",), "embedding": ("voice",),
}  # fmt: skip


def seen_by(spec: FairnessSpec) -> list[str]:
    """The truths that a finder could see; an InputError where the plugin finds no cohorts."""
    if spec.role != "finder":
        raise InputError(f"{spec.name!r} finds no cohorts", where="world", fix="name a cohort finder")
    return [truth for need in sorted(spec.needs) for truth in SEEN_BY.get(need, ())]


def world_cells(suite: Suite, specs: Mapping[str, FairnessSpec], digests: Digests) -> tuple[Planned, ...]:
    """Every finder, truth and seed that the suite's ``[[world]]`` blocks ask for."""
    return tuple(
        _cell(block, specs[name], digests, truth, planted, seed)
        for block in suite.world
        for name in block.finders
        for seed in suite.seeds
        for truth, planted in _truths(block, specs[name])
    )


def world_of(told: Mapping[str, Any]) -> World:
    """The world that a cell's ``world`` describes."""
    shape = World(share=told["share"], n_speakers=dict.fromkeys(SPLITS, told["speakers"]))
    return shape.with_effects({told["truth"]: told["effect"]} if told["planted"] else {})


def _truths(block: Block, spec: FairnessSpec) -> Iterator[tuple[str, bool]]:
    truths: Sequence[str] = block.planted or seen_by(spec)
    if not truths:
        what = f"{spec.name} needs nothing that a world has"
        raise InputError(what, where="world", fix='say what is planted, as in planted = ["rectangle"]')
    yield from ((truth, True) for truth in truths)
    if block.null_draws:
        yield truths[0], False


def _cell(block: Block, spec: FairnessSpec, digests: Digests, truth: str, planted: bool, seed: int) -> Planned:
    told = {
        "truth": truth,
        "planted": planted,
        "effect": block.effect if planted else 1.0,
        "share": block.share,
        "speakers": block.speakers,
        "draws": block.draws if planted else block.null_draws,
    }
    world_of(told)
    finder = {"task": "finding", "plugin": spec.name, "options": block.options, "seed": seed}
    code = [digests.fairness[spec.name], digests.worlds]
    return Planned.model_validate(
        finder
        | {"cell": digest([finder, told, code]), "train_key": digest([spec.name, block.options, code[0]])}
        | {"preset": "default", "corpus": CORPUS, "corpus_fingerprint": digest([told, code[1]]), "split": "measure"}
        | {"condition": truth if planted else NULL, "device": "cpu", "threads": 1, "chunk_ms": None}
        | {"pacing": "offline", "passes": 1, "world": told, "timeout_minutes": block.timeout_minutes}
    )
