"""What cohort finders read from the rows of a split: outcomes summed by speaker, and what each speaker usually has.

Speakers are the unit of every finding: n is the number of rows, S that of speakers. A row that names no speaker takes
no part in finding, for nobody knows which rows are one person's; a scheme may still assign it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers, counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earmark.bench.api import Table

SCHEME_VERSION = 1


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks in a split: errors and words (S,) in order of name, and the speaker (n,) of each row, -1 for none."""

    names: tuple[str, ...]
    errors: Floats
    words: Floats
    row_speaker: Integers
    row_words: Floats

    @property
    def n_unnamed(self) -> int:
        """Rows without a speaker."""
        return int((self.row_speaker < 0).sum())


def read_speakers(rows: Table, split: str, *, plugin: str) -> Speakers:
    """Outcomes of ``rows`` by speaker.

    Raises:
        InputError: no rows, a column is missing, or a count is negative or not finite.
    """
    if not len(rows):
        raise InputError(f"{split} has no rows", where=plugin, fix="give recordings in discover and in select")
    errors, words = counts(numbers(rows, "errors", plugin=plugin), numbers(rows, "words", plugin=plugin))
    if (errors < 0).any():
        raise InputError("a count of errors is negative", where=plugin, fix="give counts")
    who, names = codes(rows, "speaker", plugin=plugin)
    known = who >= 0
    summed = [np.bincount(who[known], v[known], len(names)).astype(np.float64) for v in (errors, words)]
    return Speakers(names, summed[0], summed[1], who, words)


def read_splits(discover: Table, select: Table, *, plugin: str) -> tuple[Speakers, Speakers]:
    """The speakers of both splits; InputError where somebody is in both, or either has no rows."""
    found = read_speakers(discover, "discover", plugin=plugin), read_speakers(select, "select", plugin=plugin)
    if shared := set(found[0].names) & set(found[1].names):
        what = f"speaker {min(shared)!r} is in discover and in select ({len(shared)} are)"
        raise InputError(what, where=plugin, fix="divide the speakers, not their recordings")
    return found


def remarks(discover: Speakers, select: Speakers) -> list[str]:
    """What a reader of the scheme should know about the speakers it was found on."""
    said = []
    for split, speakers in (("discover", discover), ("select", select)):
        if not speakers.names:
            said.append(f"{split}: no row names a speaker, so nothing can be claimed about cohorts")
        elif speakers.n_unnamed:
            said.append(f"{split}: {speakers.n_unnamed} rows name no speaker and took no part in finding")
    return said


def column(rows: Table, name: str, *, plugin: str) -> pa.ChunkedArray:
    """A column; InputError names the columns there are."""
    if name not in rows.column_names:
        raise InputError(f"no column {name!r}", where=plugin, fix=f"columns are: {', '.join(rows.column_names)}")
    return rows[name]


def numbers(rows: Table, name: str, *, plugin: str) -> Floats:
    """A column as (n,) numbers, NaN where there is none; InputError for text that is no number."""
    try:
        values = pc.cast(column(rows, name, plugin=plugin), pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"column {name!r}: {error}".splitlines()[0], where=plugin, fix="give numbers") from error
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def codes(rows: Table, name: str, *, plugin: str) -> tuple[Integers, tuple[str, ...]]:
    """A column as numbers (n,) of its values in name order, -1 where there is none, and those values as text."""
    text = pc.cast(column(rows, name, plugin=plugin), pa.string())
    encoded = pa.chunked_array(text.chunks, type=pa.string()).combine_chunks().dictionary_encode()
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=values.__getitem__)
    rank = np.empty(len(values) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(values)), -1
    where = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return rank[where], tuple(values[i] for i in order)


def first_rows(speakers: Speakers, known: np.ndarray) -> Integers:
    """The first of the rows in ``known`` (n,) of each speaker (S,), -1 for a speaker without."""
    at = np.flatnonzero(known & (speakers.row_speaker >= 0))
    first = np.full(len(speakers.names), -1, dtype=np.int64)
    first[speakers.row_speaker[at][::-1]] = at[::-1]
    return first


def usual(speakers: Speakers, values: Integers) -> Integers:
    """The value (S,) in which each speaker said most words, the lowest of equals; -1 for a speaker without any.

    ``values`` (n,) are whole numbers from 0, -1 where a row has none.
    """
    known = (values >= 0) & (speakers.row_speaker >= 0)
    first = first_rows(speakers, known)
    who, what = speakers.row_speaker[known], values[known]
    found = np.where(first >= 0, values[first], -1)
    if (what == found[who]).all():
        return found
    width = int(values.max()) + 1
    pairs, inverse = np.unique(who * width + what, return_inverse=True)
    said = np.bincount(inverse, weights=speakers.row_words[known])
    order = np.lexsort((pairs % width, -said, pairs // width))
    whose, at = np.unique(pairs[order] // width, return_index=True)
    found[whose] = pairs[order][at] % width
    return found


def names_of(names: Sequence[str], where: Integers) -> list[str]:
    """``names[i]`` for each i of ``where``."""
    return np.array([*names], dtype=object)[where].tolist()  # type: ignore[no-any-return]


def check_scheme(scheme: object, finder: str) -> dict[str, object]:
    """The scheme as a dictionary; InputError where it is not one of this finder's."""
    if not isinstance(scheme, dict) or scheme.get("finder") != finder or scheme.get("version") != SCHEME_VERSION:
        raise InputError(f"not a scheme of {finder}", where=finder, fix="load what to_json() gave")
    return scheme
