"""Parts of a suite: the plugins that there are, some of them by name, and another corpus for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from earmark.bench.api import InputError, ModelSpec
from earmark.bench.references import EVERY, check_references
from earmark.bench.registry import unknown
from earmark.bench.suite import Suite, Train


def with_every(suite: Suite, specs: Mapping[str, ModelSpec]) -> Suite:
    """The suite with names in the place of every ``*``.

    It stands for each model of the block's task that no other block names: those that come trained where the block has
    no corpus, those that learn where it has one.
    """
    named = {name for block in suite.train for name in block.plugins}

    def told(block: Train) -> Train:
        if EVERY not in block.plugins:
            return block
        fitting = [n for n, s in sorted(specs.items()) if s.task == block.task and s.pretrained == (not block.corpus)]
        plugins = [name for name in block.plugins if name != EVERY]
        return block.model_copy(update={"plugins": [*plugins, *(name for name in fitting if name not in named)]})

    found = suite.model_copy(update={"train": [told(block) for block in suite.train]})
    check_references(found, f"suite {suite.name}")
    return found


def with_plugins(suite: Suite, names: Sequence[str], specs: Mapping[str, ModelSpec]) -> Suite:
    """The suite with these models only, each in the blocks that name it; a new one in the first block of its task."""
    for name in names:
        if name not in specs:
            raise unknown("model", name, specs)
        if not any(block.task == specs[name].task for block in suite.train):
            raise InputError(
                f"suite {suite.name} has no {specs[name].task} block for {name}", fix="choose another suite"
            )
    known = {name for block in suite.train for name in block.plugins}
    first = {block.task: block.id for block in reversed(suite.train)}

    def belongs(name: str, block: Train) -> bool:
        return name in block.plugins if name in known else block.id == first[specs[name].task]

    blocks = [
        block.model_copy(update={"plugins": chosen})
        for block in suite.train
        if (chosen := [name for name in names if belongs(name, block)])
    ]
    return _restricted(suite, _with_bases(suite, blocks), {block.id for block in blocks})


def _with_bases(suite: Suite, blocks: list[Train]) -> list[Train]:
    """The blocks, and before them those that they go on from, each with the models that are needed."""
    kept = {block.id: block for block in blocks}
    every = {block.id: block for block in suite.train}
    for block in reversed(suite.train):  # a block goes on from an earlier one
        if block.id in kept and block.of is not None:
            base, named = every[block.of], kept.get(block.of)
            needed = [base.base_plugin(name) for name in kept[block.id].plugins]
            plugins = list(dict.fromkeys([*(named.plugins if named else []), *needed]))
            kept[base.id] = base.model_copy(update={"plugins": plugins})
    return [kept[block.id] for block in suite.train if block.id in kept]


def with_corpus(suite: Suite, corpus: str) -> Suite:
    """The suite measured (and, where it trains, trained) on another corpus."""
    measure = [block.model_copy(update={"corpus": [corpus]}) for block in suite.measure]
    train = [block.model_copy(update={"corpus": corpus}) if block.corpus else block for block in suite.train]
    cohorts = [block.model_copy(update={"corpus": corpus}) if block.corpus else block for block in suite.cohorts]
    return suite.model_copy(update={"measure": measure, "train": train, "cohorts": cohorts})


def _restricted(suite: Suite, blocks: list[Train], measured: set[str]) -> Suite:
    """Only these train blocks, of which some are measured, and what of the rest still has what it refers to."""
    plugins = {block.id: block.plugins for block in blocks}
    cohorts = [block for block in suite.cohorts if block.reference.plugin in plugins.get(block.reference.train, ())]
    found = {block.id for block in cohorts}
    repairs = [
        block.model_copy(update={"plugins": chosen})
        for block in suite.repair
        if (block.cohorts is None or block.cohorts in found)
        and (chosen := [n for n in block.plugins if n in plugins.get(block.of, ())])
    ]
    kept = measured | {block.id for block in repairs}
    lost = {block.id for block in suite.cohorts} - found
    measure = [
        block.model_copy(update={"of": chosen, "cohorts": [name for name in block.cohorts if name not in lost]})
        for block in suite.measure
        if (chosen := [name for name in block.of if name in kept])
    ]
    return suite.model_copy(update={"train": blocks, "cohorts": cohorts, "repair": repairs, "measure": measure})
