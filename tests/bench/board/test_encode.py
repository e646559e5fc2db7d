from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import boards
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.board import encode

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3))
def test_a_page_holds_what_was_put_into_it(data: dict[str, Any]) -> None:
    text = encode.script("a", data)
    assert encode.parse(text) == data
    assert text.isascii()
    assert "<" not in text
    assert text.count("\n") == 1


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.slow
def test_a_browser_reads_the_same() -> None:
    data = {"x": 'it\'s "<script>"\\ \u2028 \U0001f600 {{7*7}}', "y": [1.25e-9, None]}
    call = encode.script("a", data)
    code = f"let found; const earmarkPage = (_, d) => {{ found = d; }}; {call} console.log(JSON.stringify(found))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == data


@given(st.lists(st.sampled_from(["a", "b", None, ["x"], 1, True]), min_size=1, max_size=9))
def test_a_coded_column_keeps_every_row(values: list[Any]) -> None:
    column = encode.coded(values)
    assert boards.expanded(column, len(values)) == values
    assert ("c" in column) == all(json.dumps(value) == json.dumps(values[0]) for value in values)


def test_columns_of_a_table_come_back_row_by_row() -> None:
    rows = [{"t": "x", "v": 0.1, "f": ["a"]}, {"t": None, "v": None, "f": []}, {"t": "x", "v": 2.0, "f": ["a"]}]
    assert boards.rows(encode.arrow_columns(pa.Table.from_pylist(rows))) == rows
