"""A frozen partition of areas, with names that say what it is: a proxy at the level of areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Integers
from earmark.fairness.geodemographic.areas import NAME, digest, value_of
from earmark.fairness.geodemographic.partition import UNKNOWN, Rule
from earmark.models._blocks.finding import SCHEME_VERSION, check_scheme, codes, names_of

if TYPE_CHECKING:
    from earmark.bench.api import Table

PROXY = "area-level proxy"
ALL_AREAS = f"all areas ({PROXY})"
NO_ATTRIBUTE = "no area attribute"
SHOWN = 3
"""Categories that a name lists before it counts the rest."""


@dataclass(frozen=True, slots=True)
class AreaScheme:
    """A :class:`earmark.bench.api.CohortScheme`; no rule means one cohort.

    ``values`` are the attribute by area code of a table; None where the rows carry the attribute themselves. The JSON
    holds their digest, not the values: whoever loads it brings the table, and another one is refused.
    """

    rule: Rule | None
    source: str
    label: str
    values: Mapping[str, str] | None
    about: Mapping[str, Json]

    @property
    def names(self) -> tuple[str, str, str]:
        """Of the bottom, of the others, and of rows without the attribute."""
        if self.rule is None:
            return ALL_AREAS, ALL_AREAS, NO_ATTRIBUTE
        return (*side_names(self.rule), NO_ATTRIBUTE)

    def assign(self, rows: Table) -> list[str]:
        """The side of each row's area."""
        texts, which = values_of_rows(rows, self.values)
        sides = np.where(np.array(texts) != "", 0, UNKNOWN) if self.rule is None else self.rule.sides(texts)
        return names_of(self.names, sides.astype(np.int64)[which])

    def to_json(self) -> Json:
        rule: Json = None
        if self.rule is not None:
            rule = {k: [*v] if isinstance(v, tuple) else v for k, v in asdict(self.rule).items()}
        return {
            "finder": NAME,
            "version": SCHEME_VERSION,
            "label": PROXY,
            "source": self.source,
            "attribute": self.label,
            "rule": rule,
            "cohorts": list(dict.fromkeys(self.names)),
            "values_sha256": None if self.values is None else digest(self.values),
            "about": dict(self.about),
        }


def values_of_rows(rows: Table, values: Mapping[str, str] | None) -> tuple[list[str], Integers]:
    """Attribute values as text, the last one empty for none, and the place (n,) of each row's."""
    column = "area_attribute" if values is None else "area_code"
    which, names = codes(rows, column, plugin=NAME)
    texts = [*names] if values is None else [value_of(values, code) for code in names]
    return [*texts, ""], np.where(which < 0, len(texts), which)


def side_names(rule: Rule) -> tuple[str, str]:
    """Readable names of both sides.

    >>> side_names(Rule("income", at=41.5))
    ('income < 41.5 (area-level proxy)', 'income >= 41.5 (area-level proxy)')
    >>> side_names(Rule("land", bottom=("fen", "hill", "moor", "wood"), others=("town",)))
    ('land: fen, hill, moor and 1 more (area-level proxy)', 'land: others (area-level proxy)')
    """
    if rule.at is None:
        more = f" and {len(rule.bottom) - SHOWN} more" if len(rule.bottom) > SHOWN else ""
        return f"{rule.label}: {', '.join(rule.bottom[:SHOWN])}{more} ({PROXY})", f"{rule.label}: others ({PROXY})"
    low, high = f"{rule.label} < {rule.at:g} ({PROXY})", f"{rule.label} >= {rule.at:g} ({PROXY})"
    return (low, high) if rule.bottom_is_low else (high, low)


def read_scheme(scheme: Json) -> tuple[Rule | None, str, str, str | None, dict[str, Json]]:
    """Rule, source, attribute, digest of the values and remarks of a scheme's JSON; InputError for anything else."""
    found: dict[str, Any] = check_scheme(scheme, NAME)
    try:
        rule = found["rule"]
        if rule is not None:
            at = None if rule["at"] is None else float(rule["at"])
            sides = tuple(map(str, rule["bottom"])), tuple(map(str, rule["others"]))
            rule = Rule(str(rule["label"]), at, bool(rule["bottom_is_low"]), *sides)
        return rule, str(found["source"]), str(found["attribute"]), found["values_sha256"], dict(found["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a damaged scheme ({error!r})", where=NAME, fix="load what to_json() gave") from error
