"""What finders read from rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.models._blocks.finding import (
    check_scheme,
    codes,
    first_rows,
    numbers,
    read_speakers,
    read_splits,
    remarks,
    usual,
)

ROWS = pa.table({
    "speaker": ["b", "a", None, "b", "a"], "errors": [1, 2, 50, 4, 8], "words": [10, 20, 99, 40, 80],
    "lat": pa.array([1.5, None, 3.0, 4.0, 5.0]),
})  # fmt: skip


def test_counts_by_speaker_without_rows_that_name_nobody() -> None:
    found = read_speakers(ROWS, "discover", plugin="p")
    assert found.names == ("a", "b")
    assert (found.errors.tolist(), found.words.tolist()) == ([10.0, 5.0], [100.0, 50.0])
    assert (found.row_speaker.tolist(), found.n_unnamed) == ([1, 0, -1, 1, 0], 1)
    assert first_rows(found, np.array([False, True, True, True, True])).tolist() == [1, 3]
    assert first_rows(found, np.array([True, False, True, False, False])).tolist() == [-1, 0]


def test_values_are_in_name_order_whatever_the_order_and_chunks_of_rows() -> None:
    joined = pa.concat_tables([ROWS.slice(3), ROWS.slice(0, 3)])
    assert codes(joined, "speaker", plugin="p")[0].tolist() == [1, 0, 1, 0, -1]
    assert codes(joined, "speaker", plugin="p")[1] == ("a", "b")
    assert codes(pa.table({"x": pa.nulls(2)}), "x", plugin="p")[0].tolist() == [-1, -1]
    assert codes(pa.table({"x": [10, 9]}), "x", plugin="p")[1] == ("10", "9")
    assert np.isnan(numbers(ROWS, "lat", plugin="p")[1])
    assert numbers(pa.table({"x": ["1.5", None]}), "x", plugin="p")[0] == 1.5


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (ROWS.slice(0, 0), "discover has no rows"),
        (ROWS.drop_columns(["words"]), "no column 'words'; columns are: speaker, errors, lat"),
        (ROWS.set_column(1, "errors", pa.array([-1] * 5)), "negative"),
        (ROWS.set_column(1, "errors", pa.array([None] * 5, pa.int64())), "finite"),
        (ROWS.set_column(1, "errors", pa.array(["many"] * 5)), "column 'errors'"),
    ],
)
def test_rows_that_cannot_be_counted(rows: pa.Table, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_speakers(rows, "discover", plugin="p")


def test_nobody_may_be_in_both_splits() -> None:
    with pytest.raises(InputError, match=r"speaker 'a' is in discover and in select \(2 are\)"):
        read_splits(ROWS, ROWS, plugin="p")
    other = ROWS.set_column(0, "speaker", pa.nulls(5, pa.string()))
    said = remarks(*read_splits(ROWS, other, plugin="p"))
    assert said == [
        "discover: 1 rows name no speaker and took no part in finding",
        "select: no row names a speaker, so nothing can be claimed about cohorts",
    ]


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 3), st.integers(1, 9)), min_size=1, max_size=30))
def test_the_usual_value_has_most_words(rows: list[tuple[str, int, int]]) -> None:
    table = pa.table({"speaker": [r[0] for r in rows], "errors": [0] * len(rows), "words": [r[2] for r in rows]})
    speakers = read_speakers(table, "discover", plugin="p")
    found = usual(speakers, np.array([r[1] for r in rows]))
    for name, value in zip(speakers.names, found.tolist(), strict=True):
        said = {v: sum(w for s, u, w in rows if (s, u) == (name, v)) for s, v, _ in rows if s == name and v >= 0}
        assert value == (min(said, key=lambda v: (-said[v], v)) if said else -1)


@pytest.mark.parametrize("scheme", [None, [], {}, {"finder": "q", "version": 1}, {"finder": "p", "version": 2}])
def test_a_scheme_is_known_by_its_finder_and_version(scheme: object) -> None:
    with pytest.raises(InputError, match="not a scheme of p"):
        check_scheme(scheme, "p")
    assert check_scheme({"finder": "p", "version": 1}, "p")["finder"] == "p"
