"""Whether the blocks of a suite fit together: each names blocks and plugins that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from earmark.bench.api import InputError
from earmark.bench.registry import unknown

if TYPE_CHECKING:
    from earmark.bench.suite import Repair, Suite, Train

EVERY = "*"
"""In a train block: every model that can stand there."""


def check_references(suite: Suite, where: str) -> None:
    """InputError where a block names another that there isn't, or says half of what it should."""
    if not suite.measure and not suite.world:
        raise InputError("the suite measures nothing", where=where, fix="add a [[measure]] or a [[world]] block")
    for place, block in enumerate(suite.train):
        _check_train(block, suite.train[:place], where)
    ids = [*(block.id for block in suite.train), *(block.id for block in suite.repair)]
    every = [*ids, *(block.id for block in suite.cohorts)]
    repeated = sorted({i for i in every if every.count(i) > 1})
    if repeated:
        raise InputError(f"two blocks have the id {repeated[0]!r}", where=where, fix="give each block its own id")
    for wanted in (name for block in suite.measure for name in block.of):
        _must_be("measure.of", wanted, ids, where)
    for cohorts in suite.cohorts:
        _must_be(f"cohorts {cohorts.id!r}: reference", cohorts.reference.train, [b.id for b in suite.train], where)
        trained = next(block for block in suite.train if block.id == cohorts.reference.train)
        if EVERY not in trained.plugins:
            _must_be(f"cohorts {cohorts.id!r}: reference.plugin", cohorts.reference.plugin, trained.plugins, where)
    for repair in suite.repair:
        _check_repair(suite, repair, where)


def _check_train(block: Train, earlier: Sequence[Train], where: str) -> None:
    if (block.corpus is None) != (block.steps is None):
        lacking = "corpus" if block.corpus is None else "steps"
        raise InputError(f"train block {block.id!r} has no {lacking}", where=where, fix="give both, or neither")
    if block.learns and block.vocabulary is not None:
        what = f"train block {block.id!r} learns its vocabulary from its corpus"
        raise InputError(what, where=where, fix="leave out vocabulary")
    if block.of is None:
        return
    at, trained = f"train {block.id!r}: of", {other.id: other for other in earlier if other.learns}
    _must_be(at, block.of, [*trained], where)
    base = trained[block.of]
    strangers = [name for name in block.plugins if name not in base.plugins]
    if strangers and len(base.plugins) > 1 and EVERY not in block.plugins:
        what = f"{at} names {base.id!r}, which trains several models and {strangers[0]!r} is none of them"
        raise InputError(what, where=where, fix="go on from a block with one model")


def _check_repair(suite: Suite, repair: Repair, where: str) -> None:
    at = f"repair {repair.id!r}"
    trained = {block.id: block for block in suite.train if block.learns}
    _must_be(f"{at}: of", repair.of, [*trained], where)
    if repair.cohorts is None:
        _check_untargeted(repair, at, where)
    else:
        _must_be(f"{at}: cohorts", repair.cohorts, [block.id for block in suite.cohorts], where)
    for name in repair.plugins if EVERY not in trained[repair.of].plugins else ():
        _must_be(f"{at}: plugins", name, trained[repair.of].plugins, where)
    values = repair.options.get(repair.choose) if repair.choose else None
    if repair.choose and (not isinstance(values, list) or len(values) < 2):
        what = f"{at}: choose names {repair.choose!r}, of which there is no choice"
        raise InputError(what, where=where, fix=f"write with = {{ {repair.choose} = [..., ...] }}")


def _check_untargeted(repair: Repair, at: str, where: str) -> None:
    """What only makes sense for cohorts."""
    targeted, told = repair.target.names or repair.target.worst != 1, repair.cohort_input != ["none"]
    wanted = {"target": targeted, "choose": repair.choose, "cohort_input": told}
    for key in (key for key, asked in wanted.items() if asked):
        raise InputError(f"{at} has {key!r} and no cohorts", where=where, fix=f'add cohorts = "ID", or leave out {key}')


def _must_be(what: str, wanted: str, known: Sequence[str], where: str) -> None:
    """InputError with the nearest name, where a block refers to one that there isn't."""
    if wanted not in known:
        error = unknown("block" if not what.endswith("plugins") else "plugin", wanted, known)
        raise InputError(f"{what} names {error.what}", where=where, fix=error.fix)
