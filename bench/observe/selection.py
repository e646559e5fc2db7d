"""Which rows of a corpus a cell observes: its split, less what is excluded, up to its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from earmark.bench.api import Corpus, InputError, TrialList
from earmark.bench.corpora.conversations.build import usable
from earmark.bench.corpora.schema import column, metadata, reference_text, select_split
from earmark.bench.metrics.normalize import normalize
from earmark.bench.observe.settings import timed_ids
from earmark.bench.observe.trials import check_speakers
from earmark.bench.planning import Planned, Training

VOCABULARY_NORMALIZER = "basic-1"
N_IMPOSTORS = 200
N_CALIBRATION = 200
"""Recordings of speakers who are not measured, at most; embedding them is what they cost."""


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
        rows = (
            rows if corpus.trials is None else _listed(rows, corpus.trials, f"corpus {corpus.name}, split {cell.split}")
        )
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


@dataclass(frozen=True, slots=True)
class References:
    """Recordings of speakers who are not measured: impostors to normalize scores by, and voices to calibrate on."""

    impostors: Sequence[Mapping[str, Any]] = ()
    calibration: Sequence[Mapping[str, Any]] = ()


NOBODY = References()


def select_references(corpus: Corpus, cell: Planned, rows: Sequence[Mapping[str, Any]]) -> References:
    """Some recordings of ``train`` and of ``dev``, of speakers who are not in ``rows``; none where there are none.

    Impostors come from as many speakers as there are recordings to take; for calibration, from half as many, as it
    takes two recordings to make a target trial.
    """
    measured = {row["speaker"] for row in rows}
    there = set(column(corpus, "split"))
    found = []
    for split, at_most, n_speakers in (("train", N_IMPOSTORS, N_IMPOSTORS), ("dev", N_CALIBRATION, N_CALIBRATION // 2)):
        known = select_split(corpus, split).rows if split in there and split != cell.split else ()
        others = [row for row in known if row["speaker"] not in {None, *measured} and not _excluded(row, cell.exclude)]
        chosen = sorted({row["speaker"] for row in others}, key=_rank)[:n_speakers]
        some = _limited([row for row in others if row["speaker"] in chosen], min(at_most, cell.limit or at_most))
        found.append(sorted(some, key=lambda row: str(row["id"])))
    return References(*found)


def _listed(rows: list[Mapping[str, Any]], listed: TrialList, where: str) -> list[Mapping[str, Any]]:
    """The recordings that some trial of a list names."""
    named = {name for _, *names in listed.trials for name in names}
    kept = [row for row in rows if row["id"] in named]
    if not kept:
        raise InputError(
            f"no trial of the list {listed.name!r} is about it", where=where, fix="mend the list or the splits"
        )
    return kept


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
    talkers = corpus.mixed.talkers if corpus.mixed else corpus
    if "train" not in column(talkers, "split"):
        what = "there is no train split to take a vocabulary from"
        raise InputError(what, where=f"corpus {corpus.name}", fix='leave out vocabulary = "corpus"')
    train = select_split(talkers, "train").rows
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
