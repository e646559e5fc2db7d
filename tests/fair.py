"""Finders and repairs for tests of the protocol: two honest ones of each, and some that reach for what isn't theirs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

from fakes.finder import HalvesFinder
from fakes.mitigations import CohortEmbedding, Oversampling

from earmark.bench.api import FairnessSpec, HasInfo, Json, Repaired, Table, Trainer

TASKS = ("recognition",)
SPECS = (
    FairnessSpec("halves", "finder", "fair:halves", "tests", TASKS),
    FairnessSpec("voices", "finder", "fair:halves", "tests", TASKS, frozenset({"embedding"})),
    FairnessSpec("one", "finder", "fair:one", "tests", TASKS),
    FairnessSpec("peeks", "finder", "fair:peeks", "tests", TASKS),
    FairnessSpec("evens", "mitigation", "fair:evens", "tests", TASKS),
    FairnessSpec("tells", "mitigation", "fair:tells", "tests", TASKS),
    FairnessSpec("spies", "mitigation", "fair:spies", "tests", TASKS),
)
SEEN: list[dict[str, Any]] = []
"""What finders and repairs of this process were handed."""


class Noted(HalvesFinder):
    def fit(self, discover: Table, select: Table, *, seed: int) -> Any:
        SEEN.append({"discover": discover, "select": select, "seed": seed})
        return _Noted(super().fit(discover, select, seed=seed))

    def load(self, scheme: Json) -> Any:
        return _Noted(super().load(scheme))


class _Noted:
    def __init__(self, scheme: Any) -> None:
        self.scheme, self.to_json = scheme, scheme.to_json

    def assign(self, rows: Table) -> list[str]:
        SEEN.append({"assigned": rows})
        return self.scheme.assign(rows)  # type: ignore[no-any-return]


class One(HalvesFinder):
    """Everybody lives south of a border beyond the pole."""

    def fit(self, discover: Table, select: Table, *, seed: int) -> Any:
        return self.load({"border": 100.0})


class Peeks(HalvesFinder):
    """Opens the corpus behind the harness's back."""

    def __init__(self, corpus: str) -> None:
        self.corpus = corpus

    def fit(self, discover: Table, select: Table, *, seed: int) -> Any:
        from earmark.bench.corpora.load import load_corpus
        from earmark.bench.corpora.schema import select_split

        corpus = load_corpus(self.corpus, cache=Path(self.corpus).parent, progress=lambda *_: None)
        assert "measure" not in set(corpus.rows["split"])
        select_split(corpus, "measure")
        return super().fit(discover, select, seed=seed)


class Evens(Oversampling):
    """``share`` only makes two of it differ."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        SEEN.append({"target": list(target), "rows": trainer.rows})
        return super().apply(model, target, trainer)


class Spies:
    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        list(trainer.examples([10_000]))
        return Repaired(model)


def halves(*, options: Mapping[str, Json]) -> Any:
    return Noted()


def one(*, options: Mapping[str, Json]) -> Any:
    return One()


def peeks(*, options: Mapping[str, Json]) -> Any:
    return Peeks(str(options["corpus"]))


def evens(*, options: Mapping[str, Json]) -> Any:
    return Evens()


def tells(*, options: Mapping[str, Json]) -> Any:
    return CohortEmbedding()


def spies(*, options: Mapping[str, Json]) -> Any:
    return Spies()
