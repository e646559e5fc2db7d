"""What finders are handed: outcomes where they may have them, metadata as numbers, one voice for each speaker."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from earmark.bench.api import Corpus
from earmark.bench.corpora.schema import to_dataset, withheld, without_withheld
from earmark.bench.outcomes import OUTCOMES, by_voice, in_a_plane, with_outcomes, without_outcomes


def corpus() -> Corpus:
    common = {"text": "x", "lat": 1.0, "lon": 2.0, "duration_s": 1.5}
    rows = [
        {"id": "u1", "speaker": "a", "split": "discover", "extra": json.dumps({"snr_db": "12.5"}), **common},
        {"id": "u2", "speaker": "a", "split": "discover", "area_code": "11", **common},
        {"id": "u3", "speaker": None, "split": "measure", "extra": json.dumps({"snr_db": "loud"}), **common},
    ]
    return Corpus("unit", to_dataset(rows), "f", "MIT", area_attributes={"11": "31"})


def test_outcomes_stand_beside_those_who_were_heard() -> None:
    table = with_outcomes(corpus(), {"u2": (1, 4), "u1": (0, 3)}, {})
    assert [(r["utterance_id"], r["errors"], r["words"]) for r in table.to_pylist()] == [("u1", 0, 3), ("u2", 1, 4)]
    first, second = table.to_pylist()
    assert (first["snr_db"], first["area_attribute"]) == (12.5, None)
    assert (second["snr_db"], second["area_attribute"]) == (None, "31")


def test_rows_to_assign_have_no_outcomes() -> None:
    table = without_outcomes(corpus(), ("measure",), {})
    assert not set(OUTCOMES) & set(table.column_names)
    assert [(r["utterance_id"], r["snr_db"], r["embedding"]) for r in table.to_pylist()] == [("u3", None, None)]


def test_a_speaker_has_one_voice() -> None:
    means = by_voice(corpus(), {"u1": [1.0, 0.0], "u2": [0.0, 1.0], "u3": [5.0, 5.0]})
    assert means == {"u1": [0.5, 0.5], "u2": [0.5, 0.5], "u3": [5.0, 5.0]}
    table = with_outcomes(corpus(), {"u1": (0, 1)}, means)
    assert table["embedding"].to_pylist() == [[0.5, 0.5]]


def test_speakers_lie_apart_where_their_voices_differ() -> None:
    """Two groups along one direction, whatever the scale of an embedding; nobody without one."""
    voices = {"a": [1.0, 0.1, 0.0], "b": [2.0, 0.0, 0.1], "c": [0.1, 3.0, 0.0], "d": [0.0, 1.0, 0.1], "e": None}
    rows = pa.table({"speaker": [*voices] * 2, "embedding": [*voices.values()] * 2})
    dots = in_a_plane(rows, dict.fromkeys("abcd", "x"))
    assert len(dots) == 4
    first = [x for x, _, _ in dots]
    assert abs(first[0] - first[1]) < 0.2 < 0.8 < abs(first[0] - first[2])
    assert first[0] * first[2] < 0
    assert in_a_plane(rows.slice(0, 2), dict.fromkeys("ab", "x")) == ()


def test_withheld_splits_are_not_loaded_and_come_back() -> None:
    with withheld("measure"), withheld("measure", "select"):
        assert set(without_withheld(corpus()).rows["split"]) == {"discover"}
    assert len(without_withheld(corpus()).rows) == 3
    with pytest.raises(ZeroDivisionError), withheld("measure"):
        raise ZeroDivisionError
    assert len(without_withheld(corpus()).rows) == 3
