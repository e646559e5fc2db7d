"""Which rows of a corpus a cell observes: its split, less what is excluded, up to its limit."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora.conversations.build import usable
from earmark.bench.corpora.schema import metadata, reference_text, select_split
from earmark.bench.metrics.normalize import normalize
from earmark.bench.observe.settings import timed_ids
from earmark.bench.observe.trials import check_speakers
from earmark.bench.planning import Planned, Training

VOCABULARY_NORMALIZER = "basic-1"


def select_rows(corpus: Corpus, cell: Planned, *, only_timed: bool = False) -> list[Mapping[str, Any]]:
    """The cell's rows in order of id.

    A limit draws whole speakers' recordings evenly: it goes round the speakers (in an order drawn by hash), one
    recording each, until it is reached. ``only_timed`` keeps the recordings whose timing is measured. Verification
    takes recordings with a speaker only.
    """
    split = select_split(corpus, cell.split)
    rows = [row for row in split.rows if not _excluded(row, cell.exclude)]
    if cell.task == "verification" and not any(row["speaker"] for row in rows):
        check_speakers([], f"corpus {corpus.name}, split {cell.split}")
    if cell.task == "verification":
        rows = [row for row in rows if row["speaker"]]
    if not rows:
        excluded = ", ".join(f"{column} = {' or '.join(values)}" for column, values in cell.exclude.items())
        raise InputError(
            f"no recording of split {cell.split!r} is left",
            where=f"corpus {corpus.name}",
            fix=f"exclude less than {excluded}",
        )
    rows = sorted(_limited(rows, cell.limit), key=lambda row: str(row["id"]))
    if only_timed:
        timed = timed_ids([row["id"] for row in rows], cell.timing_recordings)
        rows = [row for row in rows if row["id"] in timed]
    return rows


def training_rows(corpus: Corpus, training: Training, split: str = "train") -> list[Mapping[str, Any]]:
    """The rows of a split that a training learns from (or, with ``dev``, chooses by), in order of id.

    Of conversations that are mixed in training these are the single talkers' recordings.
    """
    source = corpus.mixed.talkers if corpus.mixed and split == "train" else corpus
    rows = [row for row in select_split(source, split).rows if not _excluded(row, training.exclude)]
    if training.task != "verification":
        rows = [row for row in rows if reference_text(row).strip()]
    if corpus.mixed and split == "train":
        rows = usable(rows)
    if not rows:
        where = f"corpus {corpus.name}, split {split!r}"
        raise InputError("no recording is left to learn from", where=where, fix="exclude less")
    return sorted(rows, key=lambda row: str(row["id"]))


def vocabulary_of(corpus: Corpus) -> list[str]:
    """The words of a corpus's train split, sorted, for engines that can be told what they may hear."""
    train = select_split(corpus.mixed.talkers if corpus.mixed else corpus, "train").rows
    return sorted({word for text in train["text"] for word in normalize(text, VOCABULARY_NORMALIZER).split()})


def _excluded(row: Mapping[str, Any], exclude: Mapping[str, list[str]]) -> bool:
    known = metadata(row) if exclude else {}
    return any(known.get(column) in values for column, values in exclude.items())


def _limited(rows: list[Mapping[str, Any]], limit: int | None) -> list[Mapping[str, Any]]:
    if limit is None or len(rows) <= limit:
        return rows
    turn: dict[str, int] = {}
    ranked = []
    for row in sorted(rows, key=lambda row: _rank(row["id"])):
        speaker = row["speaker"] or row["id"]
        turn[speaker] = turn.get(speaker, -1) + 1
        ranked.append((turn[speaker], _rank(speaker), row))
    ranked.sort(key=lambda item: item[:2])
    return [row for *_, row in ranked[:limit]]


def _rank(name: str) -> bytes:
    return sha256(f"limit:{name}".encode()).digest()
