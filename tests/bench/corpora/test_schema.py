from __future__ import annotations

from typing import Any

import pytest

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora import schema

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "one two", "speaker": "s1", "split": "train", "gender": "female", "extra": '{"task":"digits"}'},
    {"id": "b", "text": "three", "speaker": "s2", "split": "measure", "lat": 1.5, "lon": -2.0, "duration_s": 1.25,
     "words": [{"word": "three", "start": 0.1, "end": 0.9}]},
    {"id": "c", "split": "measure", "extra": '{"task":"talk"}',
     "segments": [{"speaker": "s4", "start": 0.0, "end": 1.0, "text": "yes"},
                  {"speaker": "s3", "start": 0.5, "end": 2.0, "text": ""}]},
]  # fmt: skip


@pytest.fixture
def corpus() -> Corpus:
    return Corpus("made", schema.to_dataset(ROWS), "f00", "CC0")


def test_rows_come_back_as_they_went_in(corpus: Corpus) -> None:
    assert list(schema.open_rows(corpus)) == [schema.complete(row) for row in ROWS]


def test_columns_of_the_dataset_are_the_schema(corpus: Corpus) -> None:
    assert corpus.rows.column_names == list(schema.COLUMNS)
    assert corpus.rows.features == schema.features()


def test_audio_is_not_decoded_by_datasets(corpus: Corpus) -> None:
    assert corpus.rows.features["audio"].decode is False
    assert corpus.rows[0]["audio"] == {"bytes": None, "path": None}


def test_unknown_column_is_refused() -> None:
    with pytest.raises(KeyError, match="colour"):
        schema.to_dataset([{"id": "a", "colour": "red"}])


def test_select_split_keeps_only_its_rows(corpus: Corpus) -> None:
    assert [row["id"] for row in schema.open_rows(corpus, "measure")] == ["b", "c"]
    assert schema.select_split(corpus, "train").fingerprint == corpus.fingerprint


@pytest.mark.parametrize(("split", "said"), [("test", "use one of train"), ("dev", "the corpus has train, measure")])
def test_unknown_and_empty_splits_are_errors(corpus: Corpus, split: str, said: str) -> None:
    with pytest.raises(InputError, match=split) as caught:
        schema.select_split(corpus, split)
    assert said in str(caught.value)


def test_metadata_joins_columns_and_extras() -> None:
    assert schema.metadata(schema.complete(ROWS[0])) == {"gender": "female", "task": "digits"}
    assert schema.metadata(schema.complete(ROWS[1])) == {}


def test_columns_count_coverage_and_values(corpus: Corpus) -> None:
    assert schema.columns(corpus) == (schema.Column("gender", 1, 3, 1), schema.Column("task", 2, 3, 2))
    assert schema.columns(corpus)[1].coverage == 2 / 3


def test_columns_of_an_empty_corpus() -> None:
    empty = Corpus("none", schema.to_dataset([]), "", "")
    assert schema.columns(empty) == ()
    assert list(schema.open_rows(empty)) == []


def test_speakers_of_a_conversation_are_its_segments() -> None:
    assert schema.speakers_of(schema.complete(ROWS[2])) == ("s3", "s4")
    assert schema.speakers_of(schema.complete(ROWS[0])) == ("s1",)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("", None), (" x ", "x"), (38.0, "38"), (38, "38"), (0.5, "0.5"), (True, "true"), (False, "false"),
     ({"b": 1, "a": "é"}, '{"a":"é","b":1}'), ([1, 2], "[1,2]")],
)  # fmt: skip
def test_plain_text_is_one_text_for_one_value(value: object, text: str | None) -> None:
    assert schema.plain_text(value) == text
