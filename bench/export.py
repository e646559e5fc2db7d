"""Results in other people's formats: one flat table, and the text files that speech tools read.

* ``csv``, ``parquet``: the rows of ``flat`` (see ``query.py``), one a measurement with all columns of its cell.
* ``ctm`` ``recording channel begin duration word``: hypothesis, and reference where word times are known.
* ``stm`` ``recording channel speaker begin end words``: reference; of conversations the hypothesis as well.
* ``rttm``, ``seglst``: turns of conversations, see ``segments.py``.
* ``trn`` ``words (speaker-recording)``: reference and hypothesis. With STM and CTM, what NIST's sclite reads.
* ``trials``: ``1|0 enroll test`` as VoxCeleb lists them, and ``score enroll test``.

Words are those that were scored, as the run's normalizer leaves them. Names are percent-encoded where they hold blanks
or parentheses, which these formats can't hold.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from earmark.bench import query, segments
from earmark.bench.api import InputError
from earmark.bench.corpora.trial_lists import lines_of
from earmark.bench.metrics.normalize import normalize
from earmark.bench.mistakes import cells_with
from earmark.bench.registry import unknown
from earmark.bench.segments import field_name
from earmark.bench.store import RunFolder, write_lines
from earmark.bench.tables import read_table

Row = Mapping[str, Any]
Timed = tuple[str, float, float]
"""A word with its begin and end in seconds."""
Normalize = Callable[[str], str]
TABLES = ("csv", "parquet")
FIELD: Mapping[str, tuple[str, ...]] = {
    "ctm": ("recognition",), "stm": ("recognition", "conversation"), "trn": ("recognition",),
    "rttm": ("recognition", "conversation"), "seglst": ("recognition", "conversation"), "trials": ("verification",),
}  # fmt: skip
"""Field formats and the tasks whose observations they are made of."""
_CHANNEL = "1"


def export(results: Path, run: str | None, path: Path, format_: str = "csv") -> list[Path]:
    """Write a run, or every run where ``run`` is None, and return the files written.

    Args:
        path: a file for ``csv`` and ``parquet``, a folder for the field formats (a few files a cell).
    Raises:
        InputError: unknown format or run, or a run without observations of the format's task.
    """
    if format_ in TABLES:
        folders = None if run is None else [RunFolder(query.find_run(results, run))]
        return [_write_flat(results, folders, path, format_)]
    if format_ not in FIELD:
        raise unknown("format", format_, [*TABLES, *FIELD])
    return list(_write_field(RunFolder(query.find_run(results, run or query.LATEST)), path, format_))


def _write_flat(results: Path, folders: list[RunFolder] | None, path: Path, format_: str) -> Path:
    import pyarrow.csv
    import pyarrow.parquet

    with query.connect(results, folders) as connection:
        lists = [f"array_to_string({name}, ' ') AS {name}" for name in ("cell_flags", "flags")]
        what = f"* REPLACE ({', '.join(lists)})" if format_ == "csv" else "*"
        order = "suite, run_id, cell, scheme, cohort, metric"
        table = connection.sql(f"SELECT {what} FROM flat ORDER BY {order}").to_arrow_table()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    write = pyarrow.csv.write_csv if format_ == "csv" else pyarrow.parquet.write_table
    try:
        write(table, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _write_field(folder: RunFolder, out: Path, format_: str) -> Iterator[Path]:
    name, written = folder.read_run().normalizer, 0
    for cell in cells_with(folder, None, FIELD[format_]):
        for suffix, lines in _files(folder.observations(cell.cell), format_, name).items():
            path = out / f"{quote(cell.plugin, safe='')}-{quote(cell.cell, safe='')}.{suffix}"
            write_lines(path, lines)
            written += 1
            yield path
    if not written:
        raise InputError(f"no cell of it names turns, of which {format_} is made", where=str(folder.path), fix=_OTHERS)


_OTHERS = "export a run of conversations, or another format"


def _files(observations: Path, format_: str, normalizer: str) -> dict[str, list[str]]:
    """Lines of a cell's files, by the ending of their name."""
    if format_ in segments.FORMATS:
        found = segments.files(observations, format_, normalizer)
        if found or format_ not in _FORMATS:
            return found
    return _FORMATS[format_](observations, lambda text: normalize(text, normalizer))


# --- formats: pure functions from rows to lines -------------------------------------------------------------------


def trn(utterances: Iterable[Row], column: str, words: Normalize) -> Iterator[str]:
    """Transcripts; ``column`` is ``reference`` or ``hypothesis_raw``."""
    for row in utterances:
        yield f"{words(row[column])} ({field_name(row['speaker'])}-{field_name(row['utterance_id'])})".lstrip()


def stm(utterances: Iterable[Row], words: Normalize) -> Iterator[str]:
    """Reference transcripts with their place: the whole recording. Sorted by recording."""
    for row in sorted(utterances, key=lambda row: row["utterance_id"]):
        place = f"{field_name(row['utterance_id'])} {_CHANNEL} {field_name(row['speaker'])} 0.000 {row['audio_s']:.3f}"
        yield f"{place} {words(row['reference'])}".rstrip()


def ctm(timed: Mapping[str, Sequence[Timed]]) -> Iterator[str]:
    """Words with begin and end in seconds, by recording."""
    for recording, words in sorted(timed.items()):
        for word, start_s, end_s in words:
            yield f"{field_name(recording)} {_CHANNEL} {start_s:.3f} {max(0.0, end_s - start_s):.3f} {word}"


def trial_scores(trials: Iterable[Row]) -> Iterator[str]:
    """``score enroll test``, 12 significant digits."""
    for row in trials:
        yield f"{row['score']:.12g} {field_name(row['enroll_id'])} {field_name(row['test_id'])}"


def heard_words(
    tokens: Iterable[Row], due_s: Mapping[tuple[str, int], float], words: Normalize
) -> dict[str, list[Timed]]:
    """Final words of the first pass, by recording, as (word, begin, end).

    A word ends where the model says it had heard it (``audio_s`` of its last token; without that, the audio fed by
    then, ``due_s`` of recording and chunk). Models don't say where a word begins: it is taken to begin where the one
    before it ended, and words with one end in common share the time evenly.
    """
    ends: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in tokens:
        if not row["final"] or row["pass"] or row["kind"] != "text":
            continue
        claimed = row["audio_s"]
        end_s = due_s.get((row["utterance_id"], row["chunk"]), 0.0) if claimed is None else claimed
        spoken = ends[row["utterance_id"]]
        if spoken and not row["text"].startswith(" "):
            spoken[-1] = (spoken[-1][0] + row["text"], end_s)
        else:
            spoken.append((row["text"], end_s))
    scored = {name: [(w, end) for text, end in found for w in words(text).split()] for name, found in ends.items()}
    return {name: _spread(found) for name, found in scored.items()}


def _spread(ends: Sequence[tuple[str, float]]) -> list[Timed]:
    placed: list[Timed] = []
    begin_s, at = 0.0, 0
    while at < len(ends):
        end_s = max(begin_s, ends[at][1])
        n = next((n for n in range(at, len(ends)) if ends[n][1] > end_s), len(ends))
        together = [word for word, _ in ends[at:n]]
        placed += _in_equal_parts(together, begin_s, end_s)
        begin_s, at = end_s, n
    return placed


def _in_equal_parts(words: Sequence[str], start_s: float, end_s: float) -> list[Timed]:
    step = (end_s - start_s) / max(1, len(words))
    return [(word, start_s + n * step, start_s + (n + 1) * step) for n, word in enumerate(words)]


# --- formats: from observations -----------------------------------------------------------------------------------


def _ctm(folder: Path, words: Normalize) -> dict[str, list[str]]:
    order = [("utterance_id", "ascending"), ("pass", "ascending"), ("index", "ascending")]
    tokens = read_table(folder, "tokens").sort_by(order).to_pylist()
    chunks = read_table(folder, "chunks").to_pylist()
    due_s = {(row["utterance_id"], row["chunk"]): row["due_s"] for row in chunks if row["pass"] == 0}
    found = {"hyp.ctm": list(ctm(heard_words(tokens, due_s, words)))}
    spoken: dict[str, list[Timed]] = defaultdict(list)
    for row in read_table(folder, "reference_words").to_pylist():
        spoken[row["utterance_id"]] += _in_equal_parts(words(row["word"]).split(), row["start_s"], row["end_s"])
    return found | ({"ref.ctm": list(ctm(spoken))} if spoken else {})


def _stm(folder: Path, words: Normalize) -> dict[str, list[str]]:
    return {"ref.stm": list(stm(read_table(folder, "utterances").to_pylist(), words))}


def _trn(folder: Path, words: Normalize) -> dict[str, list[str]]:
    rows = read_table(folder, "utterances").to_pylist()
    return {"ref.trn": list(trn(rows, "reference", words)), "hyp.trn": list(trn(rows, "hypothesis_raw", words))}


def _trials(folder: Path, _words: Normalize) -> dict[str, list[str]]:
    rows = read_table(folder, "trials").to_pylist()
    return {"trials.txt": list(lines_of(rows)), "scores.txt": list(trial_scores(rows))}


_FORMATS: Mapping[str, Callable[[Path, Normalize], dict[str, list[str]]]] = {
    "ctm": _ctm, "stm": _stm, "trn": _trn, "trials": _trials,
}  # fmt: skip
