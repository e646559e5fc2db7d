"""Who lives where, and what is known of the place. S is the number of speakers, of discover and of select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers
from earmark.fairness.geodemographic.areas import NAME, Attributes, Coarser, as_numbers, value_of
from earmark.fairness.geodemographic.partition import Attribute
from earmark.models._blocks.finding import codes, read_speakers, usual

if TYPE_CHECKING:
    from earmark.bench.api import Table

COLUMNS = ("speaker", "errors", "words", "area_code", "area_attribute")


@dataclass(frozen=True, slots=True)
class Residents:
    """Counts (S,) of the speakers of both splits, the place (S,) of their area in ``codes``, -1 for none.

    A place beyond the codes is that of an attribute without a code.
    """

    errors: Floats
    words: Floats
    is_discover: np.ndarray
    areas: Integers
    codes: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @property
    def n_unknown(self) -> int:
        """Speakers of whose area no attribute is known."""
        return int(np.isnan(np.vstack([a.values for a in self.attributes])).all(axis=0).sum())


def residents(discover: Table, select: Table, discover_names: Sequence[str], known: Attributes | None) -> Residents:
    """Every speaker in the area of most of their words; attributes are those ``known`` of areas, or of the rows.

    Raises:
        InputError: no area of the rows is among those known.
    """
    both = pa.concat_tables([t.select([*COLUMNS]) for t in (discover, select)], promote_options="permissive")
    everyone = read_speakers(both, "discover and select", plugin=NAME)
    by_row, names = codes(both, "area_code", plugin=NAME)
    areas = usual(everyone, by_row)
    if known is None:
        by_row, texts = codes(both, "area_attribute", plugin=NAME)
        own = usual(everyone, by_row)
        attributes: tuple[Attribute, ...] = (attribute_of("area_attribute", own, texts),)
        areas = np.where((areas < 0) & (own >= 0), len(names) + own, areas)
    else:
        attributes = tuple(_looked_up(label, values, areas, names) for label, values in known.items())
        if names and all(np.isnan(a.values).all() for a in attributes):
            example = next(iter(next(iter(known.values()))), "none")
            what = f"no area of the rows is known; they have {names[0]!r}, the table {example!r}"
            raise InputError(what, where=NAME, fix="write area codes alike in both")
    is_discover = np.isin(np.array(everyone.names, dtype=object), np.array([*discover_names], dtype=object))
    return Residents(everyone.errors, everyone.words, is_discover, areas, names, attributes)


def _looked_up(label: str, values: dict[str, str], areas: Integers, names: Sequence[str]) -> Attribute:
    texts = [value_of(values, code) for code in names]
    known = np.array([*(text != "" for text in texts), False])  # the last for speakers without an area
    return attribute_of(label, np.where(known[areas], areas, -1), texts)


def attribute_of(label: str, which: Integers, texts: Sequence[str]) -> Attribute:
    """The attribute of speakers (S,) whose values are ``texts[which]``, -1 for none: numbers if all of them are."""
    used = np.unique(which[which >= 0])
    numbers = as_numbers([texts[i] for i in used])
    known = which >= 0
    values = np.full(len(which), np.nan)
    if numbers is not None and len(used):
        values[known] = np.array(numbers)[np.searchsorted(used, which[known])]
        return Attribute(label, values)
    names = tuple(sorted({texts[i] for i in used}))
    place = {name: i for i, name in enumerate(names)}
    values[known] = np.array([place[texts[i]] for i in used], dtype=np.float64)[np.searchsorted(used, which[known])]
    return Attribute(label, values, names or ("none",))


def at_larger(people: Residents, attribute: Attribute, coarser: Coarser) -> tuple[Integers, Attribute]:
    """The larger area (S,) of each speaker, and the attribute there: the mean over its words, or what most words have.

    Outcomes play no part in it, so both splits count.
    """
    larger = [coarser(code) for code in people.codes]
    names = {name: i for i, name in enumerate(sorted({name for name in larger if name is not None}))}
    place = np.array([*(-1 if name is None else names[name] for name in larger), -1], dtype=np.int64)
    areas = place[np.where(people.areas < len(larger), people.areas, -1)]
    known = np.isfinite(attribute.values) & (areas >= 0)
    where, weights, n = areas[known], people.words[known] + 1e-9, len(names)
    if attribute.is_number:
        with np.errstate(invalid="ignore"):
            by_area = np.bincount(where, weights * attribute.values[known], n) / np.bincount(where, weights, n)
    else:
        k = len(attribute.names)
        said = np.bincount(where * k + attribute.values[known].astype(np.int64), weights, n * k).reshape(n, k)
        by_area = np.where(said.sum(axis=1) > 0, said.argmax(axis=1), np.nan)
    return areas, Attribute(attribute.label, np.append(by_area, np.nan)[areas], attribute.names)
