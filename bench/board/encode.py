"""Data as compact columns in ``.js`` files, which a page that was opened from a disk may load by script tags.

A column is one of: ``{"c": value}`` where all rows are equal, ``{"d": distinct values, "i": place in d by row}``, or a
plain list. A page calls ``earmarkPage(name, JSON.parse('...'))``: text from tables is only ever data of a JSON string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CALL = "earmarkPage"


def constant_or(values: list[Any]) -> Any:
    """A column as a plain list, or as a constant where all rows are equal."""
    return {"c": values[0]} if values and all(value == values[0] for value in values) else values


def coded(values: Iterable[Any]) -> Any:
    """A column of values that recur: the distinct ones in order of appearance, and the place of each row's."""
    known: dict[str, int] = {}
    distinct: list[Any] = []
    places = []
    for value in values:
        key = json.dumps(value)
        if key not in known:
            known[key] = len(distinct)
            distinct.append(value)
        places.append(known[key])
    return {"c": distinct[0]} if len(distinct) == 1 else {"d": distinct, "i": places}


def arrow_columns(table: pa.Table) -> dict[str, Any]:
    """The columns of a table: text (and lists of text) coded, numbers as they are."""
    return {name: _arrow(table[name].combine_chunks()) for name in table.column_names}


def _arrow(column: pa.Array) -> Any:
    if pa.types.is_list(column.type):
        return coded(column.to_pylist())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = pc.dictionary_encode(column, null_encoding="encode")
        distinct, places = found.dictionary.to_pylist(), found.indices.to_pylist()
        return {"c": distinct[0]} if len(distinct) == 1 else {"d": distinct, "i": places}
    return constant_or(column.to_pylist())


def script(name: str, data: Mapping[str, Any] | Sequence[Any]) -> str:
    """A page of data as JavaScript.

    >>> print(script("a", {"x": "it's"}))
    earmarkPage('a', JSON.parse('{"x":"it\\\\'s"}'));
    <BLANKLINE>
    """
    return (
        f"{CALL}({_quoted(name)}, JSON.parse({_quoted(json.dumps(data, separators=(',', ':'), allow_nan=False))}));\n"
    )


def parse(text: str) -> Any:
    """The data of a page that :func:`script` wrote."""
    body = text[text.index("JSON.parse('") + len("JSON.parse('") : text.rindex("'));")]
    return json.loads(re.sub(r"\\(u003c|.)", lambda found: "<" if found[1] == "u003c" else found[1], body))


def _quoted(text: str) -> str:
    """ASCII without line breaks between single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("<", "\\u003c")
    return f"'{escaped}'"
