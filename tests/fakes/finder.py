"""A cohort finder: north or south of the latitude that divides the discover speakers in two halves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from earmark.bench.api import Json, Table


@dataclass(frozen=True)
class Halves:
    """A CohortScheme."""

    border: float

    def assign(self, rows: Table) -> list[str]:
        return [self.cohort(lat) for lat in rows["lat"].to_pylist()]

    def cohort(self, lat: float | None) -> str:
        if lat is None:
            return "unknown"
        return "north" if lat > self.border else "south"

    def to_json(self) -> Json:
        return {"border": self.border}


class HalvesFinder:
    """A CohortFinder."""

    def fit(self, discover: Table, select: Table, *, seed: int) -> Halves:
        return Halves(median(lat for lat in discover["lat"].to_pylist() if lat is not None))

    def load(self, scheme: Json) -> Halves:
        assert isinstance(scheme, dict)
        border = scheme["border"]
        assert isinstance(border, float)
        return Halves(border)


class RankingScheme(Halves):
    """Dishonest: the border moves with the rows that are to be assigned."""

    def assign(self, rows: Table) -> list[str]:
        return (
            Halves(median(rows["lat"].to_pylist())).assign(rows)
            if None not in rows["lat"].to_pylist()
            else (super().assign(rows))
        )


class RankingFinder(HalvesFinder):
    def fit(self, discover: Table, select: Table, *, seed: int) -> Halves:
        return RankingScheme(super().fit(discover, select, seed=seed).border)

    def load(self, scheme: Json) -> Halves:
        return RankingScheme(super().load(scheme).border)


def build(*, options: Mapping[str, Json]) -> HalvesFinder:
    return HalvesFinder()


def build_ranking(*, options: Mapping[str, Json]) -> RankingFinder:
    return RankingFinder()
