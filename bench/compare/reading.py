"""The observation tables of two cells, read a column at a time and held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earmark.bench.api import InputError
from earmark.bench.tables import SCHEMAS


def columns(folder: Path, name: str, wanted: Sequence[str], filters: Any = None) -> pa.Table:
    """Some columns of a cell's table, of some rows; empty where the cell has no such table."""
    schema = SCHEMAS[name]
    path = folder / f"{name}.parquet"
    if not path.is_file():
        return pa.schema([schema.field(column) for column in wanted]).empty_table()
    return pq.read_table(path, columns=list(wanted), schema=schema, filters=filters)


def sorted_by(table: pa.Table, *keys: str) -> pa.Table:
    """The table in order of its keys, as it is where it is in that order already."""
    order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    if pc.all(pc.equal(order, pa.array(np.arange(len(order)), type=order.type))).as_py():
        return table.combine_chunks()
    return table.take(order).combine_chunks()


def require_same(a: pa.Table, b: pa.Table, names: Sequence[str], what: str) -> None:
    """Raise InputError unless these columns are the same on both sides, naming the first that differs.

    The first of ``names`` identifies a row.
    """
    if a[names[0]].equals(b[names[0]]):
        for name in names[1:]:
            if not a[name].equals(b[name]):
                ids = pc.filter(a[names[0]], _differs(a[name], b[name]))
                raise InputError(
                    f"{name} of {len(ids)} {what} is not the same in A and B, as of {ids[0].as_py()}", where="compare",
                    fix="measure both on the same corpus",
                )  # fmt: skip
        return
    only_a, only_b = _missing(a[names[0]], b[names[0]]), _missing(b[names[0]], a[names[0]])
    example = (only_a or only_b or ["one twice"])[0]
    raise InputError(
        f"the {what} are not the same: {len(only_a)} only in A, {len(only_b)} only in B, as {example}", where="compare",
        fix="measure both on the same recordings",
    )  # fmt: skip


def _differs(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    same = pc.fill_null(pc.equal(one, other), False)
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.invert(pc.or_(same, both_null))


def _missing(mine: pa.ChunkedArray, theirs: pa.ChunkedArray) -> list[str]:
    gone = pc.filter(mine, pc.invert(pc.is_in(mine, value_set=theirs.combine_chunks())))
    found: list[str] = gone.to_pylist()
    return found
