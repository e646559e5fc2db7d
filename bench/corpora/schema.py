"""The one schema of every corpus, and how its rows are read.

A row is an utterance (or a whole conversation, with ``segments``). Times are seconds from the start of the
recording, ``lat`` and ``lon`` degrees. ``extra`` is a JSON object of text values: every key of the source that the
schema has no column for, so that any of them can serve as a cohort.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, cast

from earmark.bench.api import SPLITS, Corpus, InputError

if TYPE_CHECKING:
    from datasets import Dataset, Features

COHORT_COLUMNS = ("gender", "age", "accent", "area_code")
"""Schema columns that can serve as cohorts as they stand; ``extra`` holds more."""


class Withheld(Exception):
    """Somebody asked for speakers that are not theirs to see yet."""


class AudioRef(TypedDict):
    """Where the samples are: the bytes of an audio file, or the path of one."""

    bytes: bytes | None
    path: str | None


class SegmentRow(TypedDict):
    """Somebody's turn; ``text`` is empty where only the times are known."""

    speaker: str | None
    start: float
    end: float
    text: str


class WordRow(TypedDict):
    word: str
    start: float
    end: float


class Row(TypedDict):
    """One row. ``text`` is empty only where ``segments`` carries what was said."""

    id: str
    audio: AudioRef
    text: str
    segments: list[SegmentRow]
    speaker: str | None
    split: str
    gender: str | None
    age: str | None
    accent: str | None
    lat: float | None
    lon: float | None
    area_code: str | None
    words: list[WordRow]
    duration_s: float
    extra: str


_DEFAULTS: Row = {
    "id": "", "audio": {"bytes": None, "path": None}, "text": "", "segments": [], "speaker": None, "split": "measure",
    "gender": None, "age": None, "accent": None, "lat": None, "lon": None, "area_code": None, "words": [],
    "duration_s": 0.0, "extra": "{}",
}  # fmt: skip
COLUMNS = tuple(_DEFAULTS)


@dataclass(frozen=True, slots=True)
class Column:
    """A metadata column: in how many of the rows it is filled, and with how many different values."""

    name: str
    n_filled: int
    n_rows: int
    n_values: int

    @property
    def coverage(self) -> float | None:
        """Share of rows that have a value; None without rows."""
        return self.n_filled / self.n_rows if self.n_rows else None


def features() -> Features:
    """The ``datasets.Features`` of every corpus. Audio stays undecoded: soundfile reads it, no FFmpeg is needed."""
    from datasets import Audio, Features, List, Value

    text, real = Value("string"), Value("float64")
    segment = {"speaker": text, "start": real, "end": real, "text": text}
    kinds: dict[str, Any] = {
        "audio": Audio(decode=False),
        "segments": List(segment),
        "words": List({"word": text, "start": real, "end": real}),
        **dict.fromkeys(("lat", "lon", "duration_s"), real),
    }
    return Features({name: kinds.get(name, text) for name in COLUMNS})


def complete(partial: Mapping[str, Any]) -> Row:
    """A whole row from some of its columns; what is absent is empty. An unknown column is a KeyError."""
    unknown = set(partial) - set(COLUMNS)
    if unknown:
        raise KeyError(f"no such column: {', '.join(sorted(unknown))}")
    return cast(Row, {**_DEFAULTS, **partial})


def reference_text(row: Mapping[str, Any]) -> str:
    """The reference transcript: where every segment has a text these, in order of start; else the row's own."""
    segments = sorted(row["segments"] or (), key=lambda segment: segment["start"])
    if segments and all(segment["text"] for segment in segments):
        return " ".join(segment["text"] for segment in segments)
    return cast(str, row["text"] or " ".join(filter(None, (segment["text"] for segment in segments))))


def to_dataset(rows: Iterable[Mapping[str, Any]]) -> Dataset:
    """Rows as a ``datasets.Dataset`` of the schema; absent columns are empty."""
    import pyarrow as pa
    from datasets import Dataset

    table = pa.Table.from_pylist([dict(complete(row)) for row in rows], schema=features().arrow_schema)
    return Dataset(table)


def open_rows(corpus: Corpus, split: str | None = None) -> Iterator[Row]:
    """The rows one after another, of one split or of all; an unknown or empty split is an InputError."""
    rows = (corpus if split is None else select_split(corpus, split)).rows
    return cast("Iterator[Row]", iter(rows))


_WITHHELD: set[str] = set()
"""Of the whole process: a plugin's threads are held to it as well."""


@contextmanager
def withheld(*splits: str) -> Iterator[None]:
    """While it lasts nobody in this process opens these splits, and corpora are loaded without them."""
    new = set(splits) - _WITHHELD
    _WITHHELD.update(new)
    try:
        yield
    finally:
        _WITHHELD.difference_update(new)


def without_withheld(corpus: Corpus) -> Corpus:
    """The corpus without the rows of splits that are withheld."""
    if not _WITHHELD:
        return corpus
    where = [index for index, split in enumerate(column(corpus, "split")) if split not in _WITHHELD]
    return replace(corpus, rows=corpus.rows.select(where))


def select_split(corpus: Corpus, split: str) -> Corpus:
    """The same corpus with the rows of one split; raises InputError if there is no such split or it is empty."""
    if split in _WITHHELD:
        raise Withheld(f"split {split!r} is withheld while cohorts are found and models repaired")
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}", where=corpus.name, fix=f"use one of {', '.join(SPLITS)}")
    where = [index for index, value in enumerate(column(corpus, "split")) if value == split]
    if not where:
        present = ", ".join(name for name in SPLITS if name in set(column(corpus, "split"))) or "no rows at all"
        raise InputError(f"split {split!r} is empty", where=corpus.name, fix=f"the corpus has {present}")
    return replace(corpus, rows=corpus.rows.select(where))


def column(corpus: Corpus, name: str) -> list[Any]:
    """One column as Python values, without touching the others."""
    return cast("list[Any]", corpus.rows.with_format("arrow")[name].to_pylist()) if len(corpus.rows) else []


def metadata(row: Mapping[str, Any]) -> dict[str, str]:
    """Everything about a row that can serve as a cohort, by name: gender, age, accent, area code and the extras.

    >>> metadata({"gender": "female", "age": None, "extra": '{"native_language": "dutch"}'})
    {'gender': 'female', 'native_language': 'dutch'}
    """
    known = {name: str(row[name]) for name in COHORT_COLUMNS if row.get(name) is not None}
    return {**known, **json.loads(row.get("extra") or "{}")}


def columns(corpus: Corpus) -> tuple[Column, ...]:
    """The metadata columns that exist in a corpus, in name order, with how well they are filled."""
    values: dict[str, list[str]] = {}
    by_name = {name: column(corpus, name) for name in (*COHORT_COLUMNS, "extra")}
    for index in range(len(corpus.rows)):
        for name, value in metadata({key: cells[index] for key, cells in by_name.items()}).items():
            values.setdefault(name, []).append(value)
    return tuple(Column(name, len(v), len(corpus.rows), len(set(v))) for name, v in sorted(values.items()))


def plain_text(value: object) -> str | None:
    """Any JSON value as text, None for nothing: ``38.0`` and ``38`` are both "38", objects are canonical JSON."""
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical(value)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces; one text for one value. NaN is a ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def speakers_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Everybody who speaks in a row, in name order: its speaker and those of its segments."""
    names = {row.get("speaker"), *(segment["speaker"] for segment in row.get("segments") or ())}
    return tuple(sorted(name for name in names if name is not None))
