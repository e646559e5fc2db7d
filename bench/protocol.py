"""The fairness protocol of a suite, planned. Pure.

Where a suite has ``[[cohorts]]`` and ``[[repair]]`` blocks, a run goes through stages: the reference is observed on
speakers of ``discover`` and ``select``; a finder divides them into cohorts, which are frozen; trained models are
repaired for the worst of them; and only then are models heard on ``measure``, as they were and as they are. Every seed
goes through it by itself: its own reference, its own cohorts, its own repairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from earmark.bench.api import FairnessSpec, InputError, ModelSpec
from earmark.bench.planning import (
    Digests,
    Planned,
    Subject,
    Training,
    cells_of,
    digest,
    merged,
    subjects,
    training_of,
)
from earmark.bench.suite import Block, Cohorts, Measure, Recipe, Repair, Suite, Target


class Finding(Block):
    """Cohorts that are to be found; equal keys mean equal cohorts."""

    scheme_key: str
    name: str
    """The id of the block."""
    finder: str
    options: dict[str, Any]
    embedder: str | None
    seed: int
    corpus: str
    """As it was asked for: a name or a path. Not part of the identity; the fingerprint is."""
    corpus_fingerprint: str
    exclude: dict[str, list[str]]
    discover: str
    """The cell in which the reference was observed on split discover."""
    select: str


class Repairing(Block):
    """A checkpoint that is to be repaired; equal keys mean equal weights."""

    repair_key: str
    name: str
    method: str
    options: dict[str, Any]
    target: Target
    steps: int
    recipe: Recipe
    scheme_key: str | None
    """None of a repair for nobody in particular."""
    watch: list[str] = Field(default_factory=list)
    base: Training


@dataclass(frozen=True, slots=True)
class Choice:
    """Repairs that differ in one option, of which one is chosen by what their models do on select.

    ``candidates`` are repair keys by the option's value, ``heard`` their cells on select, ``before`` that of the model
    as it was.
    """

    repair_key: str
    option: str
    values: tuple[Any, ...]
    candidates: tuple[str, ...]
    heard: tuple[str, ...]
    before: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a suite's fairness blocks ask for. ``finding`` and ``choosing`` are the cells observed before others."""

    findings: Mapping[str, Finding] = field(default_factory=dict)
    repairs: Mapping[str, Repairing] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    finding: tuple[Planned, ...] = ()
    choosing: tuple[Planned, ...] = ()
    repaired: tuple[Planned, ...] = ()

    @property
    def cells(self) -> tuple[Planned, ...]:
        return merged([*self.finding, *self.choosing, *self.repaired])


@dataclass
class Planner:
    """Plans the protocol of one suite; ``finders`` and ``methods`` are fairness specs by name."""

    suite: Suite
    specs: Mapping[str, ModelSpec]
    fairness: Mapping[str, FairnessSpec]
    digests: Digests

    def plan(self) -> Protocol:
        """Everything that the blocks ask for."""
        findings = {f.scheme_key: f for block in self.suite.cohorts for f in self._findings(block)}
        repairs: dict[str, Repairing] = {}
        choices: dict[str, Choice] = {}
        repaired: list[Planned] = []
        choosing: list[Planned] = []
        for block in self.suite.repair:
            self._must_be_able(block.method, "mitigation", f"repair {block.id!r}")
            for subject in self._repaired_subjects(block):
                tried = self._tried(block, subject, findings)
                repairs.update({one.repair_key: one for one in tried})
                key = tried[0].repair_key
                if block.choose:
                    choice, cells = self._choice(block, subject, tried)
                    key, choices[choice.repair_key] = choice.repair_key, choice
                    choosing += cells
                repaired += self._measured(block, subject, key)
        heard = [cell for block in self.suite.cohorts for cell in self._heard(block)]
        return Protocol(findings, repairs, choices, merged(heard), merged(choosing), merged(repaired))

    def with_found(self, cells: tuple[Planned, ...], findings: Mapping[str, Finding]) -> tuple[Planned, ...]:
        """The cells, each told the schemes of its seed that its cohorts mean."""
        by_name = {(one.name, one.seed): key for key, one in findings.items()}

        def told(cell: Planned) -> Planned:
            found = {n: by_name[n, cell.seed] for n in cell.cohorts if (n, cell.seed) in by_name}
            return cell.model_copy(update={"found": found}) if found else cell

        return tuple(told(cell) for cell in cells)

    # --- finding --------------------------------------------------------------------------------------------------

    def _findings(self, block: Cohorts) -> Iterator[Finding]:
        spec = self._must_be_able(block.finder, "finder", f"cohorts {block.id!r}")
        if "embedding" in spec.needs and block.embedder is None:
            what = f"{spec.name} divides speakers by their embeddings, and no embedder is named"
            raise InputError(what, where=f"cohorts {block.id!r}", fix='add embedder = "NAME" (a verification model)')
        for subject in self._reference(block):
            discover, select = (self._cell(block, subject, split) for split in ("discover", "select"))
            corpus = self._corpus(block)
            identity: dict[str, Any] = {
                "finder": block.finder,
                "options": block.options,
                "embedder": block.embedder,
                "seed": subject.seed,
                "corpus_fingerprint": self.digests.corpora[corpus],
                "exclude": block.exclude,
                "discover": discover.cell,
                "select": select.cell,
            }
            codes = [self.digests.fairness[block.finder], self.digests.plugins.get(block.embedder or "")]
            key = digest([identity, codes, self.digests.areas.get(corpus), self.suite.normalizer])
            yield Finding.model_validate({**identity, "scheme_key": key, "name": block.id, "corpus": corpus})

    def _heard(self, block: Cohorts) -> Iterator[Planned]:
        for subject in self._reference(block):
            yield from (self._cell(block, subject, split) for split in ("discover", "select"))

    def _reference(self, block: Cohorts) -> Iterator[Subject]:
        named = subjects(self.suite, [block.reference.train])
        return (subject for subject in named if subject.name == block.reference.plugin)

    def _cell(self, block: Cohorts, subject: Subject, split: Literal["discover", "select"]) -> Planned:
        """What a model says to the speakers of a split: heard once, in the first of all circumstances."""
        defaults = self.suite.defaults
        measure = Measure(
            of=[subject.train.id], corpus=[self._corpus(block)], split=split, cohorts=[], metrics=["wer"],
            exclude=block.exclude, limit=block.limit, device=defaults.device[:1], chunk_ms=defaults.chunk_ms[:1],
            condition=["clean"], pacing="virtual", passes=1, timing_recordings=1, concurrent=False, seeds=None,
            threads=None, timeout_minutes=None, memory_mib=None,
        )  # fmt: skip
        (cell,) = cells_of(self.suite, measure, subject, self.specs, self.digests)
        return cell

    def _corpus(self, block: Cohorts) -> str:
        """The one named, else the reference's own, else the first on which it is measured."""
        trained = next(train.corpus for train in self.suite.train if train.id == block.reference.train)
        measured = [c for m in self.suite.measure if block.reference.train in m.of for c in m.corpus]
        named = block.corpus or trained or next(iter(measured), None)
        if named is None:
            what = "it is not said in which corpus they are to be found"
            raise InputError(what, where=f"cohorts {block.id!r}", fix='add corpus = "NAME"')
        return named

    def _must_be_able(self, name: str, role: str, where: str) -> FairnessSpec:
        spec = self.fairness[name]
        if spec.role != role:
            raise InputError(f"{name} is a {spec.role}, not a {role}", where=where, fix=f"name a {role}")
        return spec

    # --- repairing ------------------------------------------------------------------------------------------------

    def _repaired_subjects(self, block: Repair) -> Iterator[Subject]:
        return (subject for subject in subjects(self.suite, [block.of]) if subject.name in block.plugins)

    def _tried(self, block: Repair, subject: Subject, findings: Mapping[str, Finding]) -> list[Repairing]:
        """One repair, or one for each value of the option that is to be chosen."""
        keys = (k for k, f in findings.items() if (f.name, f.seed) == (block.cohorts, subject.seed))
        scheme_key = next(keys, None)
        base = training_of(self.suite, subject, self.specs, self.digests)
        values = block.options[block.choose] if block.choose else [None]
        return [self._repairing(block, base, scheme_key, value) for value in values]

    def _repairing(self, block: Repair, base: Training, scheme_key: str | None, value: Any) -> Repairing:
        options = {**block.options, **({block.choose: value} if block.choose else {})}
        identity: dict[str, Any] = {
            "method": block.method,
            "options": options,
            "target": block.target.model_dump(mode="json"),
            "steps": block.steps,
            "recipe": block.recipe.model_dump(mode="json"),
            "scheme_key": scheme_key,
            **({"watch": block.watch} if block.watch else {}),
        }
        key = digest([base.train_key, self.digests.fairness[block.method], self.digests.training, identity])
        return Repairing.model_validate({**identity, "repair_key": key, "name": block.id, "base": base})

    def _choice(self, block: Repair, subject: Subject, tried: list[Repairing]) -> tuple[Choice, list[Planned]]:
        """What is to be heard on select, by each candidate and by the model as it was."""
        cohorts = next(found for found in self.suite.cohorts if found.id == block.cohorts)
        before = self._cell(cohorts, subject, "select")
        given = block.cohort_input[0]
        heard = [self._cell(cohorts, self._as_repaired(block, subject, o.repair_key, given), "select") for o in tried]
        keys = tuple(one.repair_key for one in tried)
        values = tuple(one.options[block.choose or ""] for one in tried)
        chosen_key = digest(["chosen on select", *keys])
        choice = Choice(chosen_key, block.choose or "", values, keys, tuple(c.cell for c in heard), before.cell)
        found = {"cohorts": [block.cohorts], "found": {block.cohorts: tried[0].scheme_key}}
        return choice, [before, *(cell.model_copy(update=found) for cell in heard)]

    def _measured(self, block: Repair, subject: Subject, repair_key: str) -> Iterator[Planned]:
        for measure in self.suite.measure:
            if block.id not in measure.of or (measure.seeds is not None and subject.seed not in measure.seeds):
                continue
            before = list(cells_of(self.suite, measure, subject, self.specs, self.digests))
            for given in block.cohort_input:
                repaired = self._as_repaired(block, subject, repair_key, given)
                cells = cells_of(self.suite, measure, repaired, self.specs, self.digests)
                for cell, base in zip(cells, before, strict=True):
                    yield cell.model_copy(update={"baseline": base.cell})

    @staticmethod
    def _as_repaired(block: Repair, subject: Subject, repair_key: str, given: str) -> Subject:
        repair = {"mitigation": block.method, "repair": block.id, "repair_key": repair_key, "cohort_input": given}
        return Subject(subject.train, subject.name, subject.seed, repair)
