"""Cohorts by where people live: the attribute of areas that divides error rates most, borne out by other speakers.

Dheram et al., "Toward fairness in speech recognition: discovery and mitigation of performance disparities" (arXiv
2207.11345), link users' ZIP codes to census attributes and compare cohorts of areas. README.md lists the choices made
here. In reading order: options, a partition that was found, the finder, :func:`build`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Integers
from earmark.fairness.geodemographic.areas import (
    NAME,
    ZIP_ATTRIBUTES,
    Attributes,
    digest,
    larger_units,
    looks_like_zips,
    read_table,
    zip_table,
)
from earmark.fairness.geodemographic.partition import (
    BOTTOM,
    OTHERS,
    Attribute,
    Floors,
    Rule,
    Verdict,
    confirm,
    partition,
    sides_of,
)
from earmark.fairness.geodemographic.residents import Residents, at_larger, residents
from earmark.fairness.geodemographic.scheme import AreaScheme, read_scheme, side_names
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.dividing import CRITERIA
from earmark.models._blocks.finding import codes, read_splits, remarks

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import Table

SOURCES = ("auto", "rows", "table", "zipcodes")
SURVIVES = 0.5
"""Jaccard index of speakers from which the bottom cohort at larger areas is still the same one."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices about the partition."""

    source: str = "auto"
    """Of attributes: ``rows`` (column area_attribute), ``table`` or ``zipcodes``; auto: table, rows, ZIP codes."""
    table: str = ""
    """CSV file with a column area_code and attributes."""
    attribute: str = ""
    """The attribute of the table or ZIP codes to use; empty: the one that divides discover most."""
    criterion: str = "poisson"
    """What a partition maximizes: ``poisson``, ``sse`` or ``abs_diff``."""
    min_words: float = 200.0
    min_speakers: int = 10
    """Discover speakers on each side."""
    alpha: float = 0.05
    """Share of worlds in which the attribute makes no difference and areas are divided all the same."""
    n_deals: int = 499
    """Random deals of the sides to areas that the test makes."""

    def __post_init__(self) -> None:
        for key, allowed in (("source", SOURCES), ("criterion", CRITERIA)):
            if (value := getattr(self, key)) not in allowed:
                raise InputError(f"option {key!r} is {value!r}", where=NAME, fix=f"choose one of: {', '.join(allowed)}")
        if self.source == "table" and not self.table:
            raise InputError("source 'table' without a table", where=NAME, fix="give table, the path of a CSV file")
        in_range("min_words", self.min_words, 1.0, 1e9, plugin=NAME)
        in_range("min_speakers", self.min_speakers, 1, 1_000_000, plugin=NAME)
        in_range("alpha", self.alpha, 0.001, 1.0, plugin=NAME)
        in_range("n_deals", self.n_deals, 19, 100_000, plugin=NAME)

    @property
    def floors(self) -> Floors:
        return Floors(self.min_words, self.min_speakers)


@dataclass(frozen=True, slots=True)
class Divided:
    """A partition that was found, the side (S,) of each speaker, and how select speakers took it."""

    rule: Rule
    gain: float
    sides: Integers
    verdict: Verdict

    def to_json(self, people: Residents) -> dict[str, Json]:
        """What was found on discover and what on select."""
        rates: list[Json] = []
        for side in (BOTTOM, OTHERS):
            at = people.is_discover & (self.sides == side)
            words = float(people.words[at].sum())
            rates.append(float(people.errors[at].sum()) / words if words else None)
        return {
            "bottom": side_names(self.rule)[0],
            "gain": self.gain,
            "discover_rates": rates,
            "select_rates": [self.verdict.bottom_rate, self.verdict.others_rate],
            "p_value": self.verdict.p_value,
            "dealt": self.verdict.dealt,
            "n_areas": self.verdict.n_areas,
        }


class Geodemographic:
    """A :class:`earmark.bench.api.CohortFinder`."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def fit(self, discover: Table, select: Table, *, seed: int) -> AreaScheme:
        """The partition of areas that divides discover most, if select speakers bear it out; else one cohort.

        Raises:
            InputError: a split has no rows, nothing is known of any area, or somebody is in both splits.
            Unsupported: ZIP codes are to be used and the package zipcodes is missing.
        """
        speakers = read_splits(discover, select, plugin=NAME)
        source = self._source(discover)
        known = self._known(source)
        people = residents(discover, select, speakers[0].names, known)
        said = remarks(*speakers)
        if people.n_unknown:
            said.append(f"{people.n_unknown} speakers have no area attribute")
        about: dict[str, Json] = {"options": asdict(self.options), "tested": None, "units": []}
        rng = np.random.default_rng(seed)
        best = self.divide(people.attributes, people, people.areas, rng)
        rule = best.rule if best is not None and self._holds(best) else None
        if best is not None:
            about["tested"] = best.to_json(people)
        if best is not None and rule is not None:
            about["units"] = [*self.larger(best, people, rng)]
        else:
            said.append("one cohort: no partition of areas that select speakers bear out")
        label = rule.label if rule is not None else people.attributes[0].label
        return AreaScheme(rule, source, label, known[label] if known else None, {**about, "remarks": [*said]})

    def load(self, scheme: Json) -> AreaScheme:
        """A scheme from its JSON; InputError where the table's values are not those it was found with."""
        rule, source, label, sha256, about = read_scheme(scheme)
        known = self._known(source)
        values = known.get(label) if known else None
        if sha256 != (None if values is None else digest(values)):
            what = f"the values of {label!r} are not those that the scheme was found with"
            raise InputError(what, where=self.options.table or NAME, fix="bring the table it was found with")
        return AreaScheme(rule, source, label, values, about)

    def divide(
        self, attributes: Sequence[Attribute], people: Residents, areas: Integers, rng: Generator
    ) -> Divided | None:
        """The partition by any of the attributes that gains most on discover, held against select."""
        on, o = people.is_discover, self.options
        found = [
            partition(replace(a, values=a.values[on]), people.errors[on], people.words[on],
                      criterion=o.criterion, floors=o.floors)
            for a in attributes
        ]  # fmt: skip
        at = max((i for i, f in enumerate(found) if f is not None), key=lambda i: (found[i] or (0.0,))[0], default=None)
        best = None if at is None else found[at]
        if at is None or best is None:
            return None
        sides, off = sides_of(best[1], attributes[at]), ~on
        verdict = confirm(sides[off], areas[off], people.errors[off], people.words[off], n_deals=o.n_deals, rng=rng)
        return Divided(best[1], best[0], sides, verdict)

    def larger(self, best: Divided, people: Residents, rng: Generator) -> Iterator[dict[str, Json]]:
        """The same search at each larger unit of area: whether the bottom cohort is found there too."""
        (attribute,) = (a for a in people.attributes if a.label == best.rule.label)
        bottom = best.sides == BOTTOM
        for unit, coarser in larger_units(people.codes).items():
            areas, there = at_larger(people, attribute, coarser)
            found = self.divide([there], people, areas, rng)
            if found is None:
                yield {"unit": unit, "survives": False, "overlap": 0.0, "tested": None}
                continue
            again = found.sides == BOTTOM
            overlap = float((bottom & again).sum() / (bottom | again).sum())
            survives = self._holds(found) and overlap >= SURVIVES
            yield {"unit": unit, "survives": survives, "overlap": overlap, "tested": found.to_json(people)}

    def _holds(self, found: Divided) -> bool:
        return found.verdict.p_value is not None and found.verdict.p_value <= self.options.alpha

    def _source(self, discover: Table) -> str:
        """Where attributes come from; InputError where nothing is known of any area."""
        if self.options.source != "auto":
            return self.options.source
        if self.options.table:
            return "table"
        if len(codes(discover, "area_attribute", plugin=NAME)[1]):
            return "rows"
        if looks_like_zips(codes(discover, "area_code", plugin=NAME)[1]):
            return "zipcodes"
        what = "rows have no area_attribute, and their area codes are no US ZIP codes"
        raise InputError(what, where=NAME, fix="give table, a CSV file with area_code and attributes")

    def _known(self, source: str) -> Attributes | None:
        """What is known of areas beside the rows, reduced to the attribute asked for; None where rows say it all."""
        if source == "rows":
            return None
        known, usual = (read_table(self.options.table), None) if source == "table" else (zip_table(), ZIP_ATTRIBUTES)
        wanted = self.options.attribute
        if wanted and wanted not in known:
            near = get_close_matches(wanted, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
            raise InputError(f"no attribute {wanted!r}", where=self.options.table or NAME, fix=fix)
        return {name: known[name] for name in ((wanted,) if wanted else usual or tuple(known))}


def build(*, options: Mapping[str, Json]) -> Geodemographic:
    """The finder with these options."""
    return Geodemographic(read_options(Options, options, plugin=NAME))
