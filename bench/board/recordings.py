"""What one cell was heard to say: its utterances aligned, its words in time, its service times, gates and trials.

Built from stored observations alone, after the run's normalizer, so that errors here add up to the rate in the table.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from earmark.bench.api import Unsupported
from earmark.bench.board import curves, voices
from earmark.bench.board.encode import coded
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import WordErrors, align_words, score_many
from earmark.bench.rows import Cell
from earmark.bench.tables import read_table

MAX_RECORDINGS = 2000
"""Utterances told of one cell, those with most errors first; the table of observations has them all."""
_MARKS = {"equal": "E", "substitute": "S", "delete": "D", "insert": "I"}
COUNTED = {"wer": "errors", "orc_wer": "orc"}
"""The column in which a page counts the errors of a metric."""
Said = list[list[Any]]
BEGINNING = 1000
_HEARD = re.compile(r'"heard":"([0-9a-f]+)"')


def cell_page(folder: Path, cell: Cell, normalizer: str) -> dict[str, Any]:
    """Everything that a page tells of a cell beyond its measurements; empty where nothing was observed."""
    if cell.task == "verification":
        return _heard(folder, "trials", "enroll_id", "test_id") | curves.trial_curves(folder) | voices.pictures(folder)
    if cell.task == "finding" or not (folder / "utterances.parquet").is_file():
        return {}
    found = _heard(folder, "utterances", "utterance_id") | {"utterances": _utterances(folder, normalizer)}
    return found | curves.service(folder) | curves.gates(folder)


def speaker_errors(page: Mapping[str, Any], metric: str = "wer") -> dict[str, tuple[str, int, int]]:
    """By utterance of a page its speaker (or itself, where none is named), errors and reference words.

    ``metric`` says which errors; empty where the page does not know those.
    """
    told = page.get("utterances")
    parts = [told, *([told["rest"]] if "rest" in told else [])] if told else []
    found: dict[str, tuple[str, int, int]] = {}
    for part in parts:
        named, n = part["speaker"], len(part["id"])
        speakers = [named["c"]] * n if "c" in named else [named["d"][place] for place in named["i"]]
        rows = zip(part["id"], speakers, part.get(COUNTED[metric], []), part["words"], strict=False)
        found |= {name: (speaker or name, errors, words) for name, speaker, errors, words in rows if errors is not None}
    return found


def heard_of(page: Path) -> str | None:
    """What a page says of which recordings were heard, read from its beginning."""
    with page.open(encoding="utf-8") as lines:
        found = _HEARD.search(lines.read(BEGINNING))
    return found[1] if found else None


def _heard(folder: Path, name: str, *columns: str) -> dict[str, str]:
    """A digest of the recordings, or pairs of them, that a cell was measured on, in whatever order."""
    table = read_table(folder, name)
    names = sorted(zip(*(table[column].to_pylist() for column in columns), strict=True))
    return {"heard": hashlib.sha256(repr(names).encode()).hexdigest()[:12]}


def _utterances(folder: Path, normalizer: str) -> dict[str, Any]:
    """Columns of the utterances with most errors first; ``n`` counts all, ``rest`` has the counts of those left out."""
    rows = read_table(folder, "utterances").to_pylist()
    references = [normalize(row["reference"], normalizer) for row in rows]
    hypotheses = [normalize(row["hypothesis_raw"], normalizer) for row in rows]
    errors = score_many(references, hypotheses)
    orc = _orc(folder, normalizer)
    wrong = [orc.get(row["utterance_id"], one).errors for row, one in zip(rows, errors, strict=True)]
    ordered = sorted(range(len(rows)), key=lambda at: (-wrong[at], rows[at]["utterance_id"]))
    order, left_out = ordered[:MAX_RECORDINGS], ordered[MAX_RECORDINGS:]
    names = [rows[at]["utterance_id"] for at in order]
    spoken, said = _spoken(folder, names), _said(folder, names)
    return _counts(rows, errors, orc, order) | {
        "n": len(rows),
        "outcome": coded(rows[at]["outcome"] for at in order),
        "audio_s": [round(rows[at]["audio_s"], 4) for at in order],
        "reference": [references[at] for at in order],
        "hypothesis": [hypotheses[at] for at in order],
        "steps": [_steps(references[at], hypotheses[at]) for at in order],
        "spoken": [spoken.get(name, []) for name in names],
        "said": [said.get(name, []) for name in names],
        "turns": _turns(folder, names),
    } | ({"rest": _counts(rows, errors, orc, left_out)} if left_out else {})  # fmt: skip


def _counts(
    rows: Sequence[Mapping[str, Any]], errors: Sequence[WordErrors], orc: Mapping[str, WordErrors], order: Sequence[int]
) -> dict[str, Any]:
    """Columns of what is counted in some of the utterances; ``orc`` only where turns are assigned to channels."""
    names = [rows[at]["utterance_id"] for at in order]
    assigned = {"orc": [orc[name].errors if name in orc else None for name in names]} if orc else {}
    return {
        "id": names,
        "speaker": coded(rows[at]["speaker"] for at in order),
        "errors": [errors[at].errors for at in order],
        "words": [errors[at].reference_words for at in order],
    } | assigned


def _orc(folder: Path, normalizer: str) -> Mapping[str, WordErrors]:
    """By conversation its errors under the best assignment of turns to channels; empty where none can be had."""
    if not (folder / "reference_turns.parquet").is_file():
        return {}
    from earmark.bench.score.conversation import Talks

    try:
        return Talks.read(folder, normalizer).best.errors
    except Unsupported:
        return {}


def _steps(reference: str, hypothesis: str) -> str:
    """An alignment as letters: Equal, Substitute, Delete, Insert."""
    if reference == hypothesis:
        return "E" * len(reference.split())
    return "".join(_MARKS[step.op] for step in align_words(reference, hypothesis))


def _spoken(folder: Path, names: Sequence[str]) -> dict[str, Said]:
    """By utterance the reference words with start and end in seconds."""
    found: dict[str, Said] = defaultdict(list)
    for row in _some(folder, "reference_words", names):
        found[row["utterance_id"]].append([row["word"], _ms(row["start_s"]), _ms(row["end_s"])])
    return found


def _said(folder: Path, names: Sequence[str]) -> dict[str, Said]:
    """By utterance the final words: text, audio heard (the model's own claim), when it was there, channel."""
    tokens: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in _some(folder, "tokens", names):
        if row["pass"] == 0 and row["final"]:
            tokens[row["utterance_id"], row["channel"]].append(row)
    found: dict[str, Said] = defaultdict(list)
    for (name, channel), rows in sorted(tokens.items()):
        found[name] += [[*word, channel] for word in _words(sorted(rows, key=lambda row: row["index"]))]
    return found


def _words(tokens: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Tokens joined to words, each at the time of its last token; a turn's begin and end are words of their own."""
    words: list[list[Any]] = []
    for token in tokens:
        times = [_ms(token["audio_s"]), _ms(token["emitted_s"])]
        if token["kind"] != "text":
            words.append([f"<{token['kind']}>", *times])
            continue
        for place, part in enumerate(token["text"].split(" ")):
            continues = place == 0 and words and not words[-1][0].startswith("<")
            if continues and part:
                words[-1] = [words[-1][0] + part, *times]
            elif part:
                words.append([part, *times])
    return words


def _turns(folder: Path, names: Sequence[str]) -> dict[str, list[list[Any]]]:
    """By utterance the reference turns: speaker, channel, start, end, text; none for single talkers."""
    found: dict[str, list[list[Any]]] = defaultdict(list)
    if (folder / "reference_turns.parquet").is_file():
        for row in _some(folder, "reference_turns", names):
            turn = [row["speaker"], row["channel"], _ms(row["start_s"]), _ms(row["end_s"]), row["text"]]
            found[row["utterance_id"]].append(turn)
    return found


def _some(folder: Path, name: str, names: Sequence[str]) -> list[dict[str, Any]]:
    import pyarrow as pa

    table = read_table(folder, name)
    rows: list[dict[str, Any]] = table.filter(pc.is_in(table["utterance_id"], value_set=pa.array(names))).to_pylist()
    return rows


def _ms(seconds: float | None) -> float | None:
    """Seconds to a tenth of a millisecond."""
    return None if seconds is None else round(seconds, 4)
