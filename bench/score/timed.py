"""From a cell's tables to its timed recordings: when each chunk was done, and which words came with it.

With virtual pacing each chunk's service time is its median over the passes, replayed against the schedule; with real
pacing a chunk ends at its median measured time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earmark.bench import clock
from earmark.bench.metrics import latency
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import align_words
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table


@dataclass(frozen=True, slots=True)
class Timed:
    """One timed recording: its chunks' due, service and end times (n,), and its words that were recognized.

    ``n_words`` counts the reference words, ``n_placed`` those whose times are known (all or none), ``words`` are those
    recognized and ``places`` which of the reference they are. ``has_times`` says whether the start of speech is known.
    """

    utterance_id: str
    speaker: str | None
    audio_s: float
    due_s: np.ndarray[Any, np.dtype[np.float64]]
    service_s: np.ndarray[Any, np.dtype[np.float64]]
    end_s: np.ndarray[Any, np.dtype[np.float64]]
    times: latency.StreamTimes
    words: tuple[latency.Emission, ...]
    places: tuple[int, ...]
    n_words: int
    n_placed: int
    n_revisions: int
    has_times: bool


def read_timed(sheet: Sheet, folder: Path) -> Iterator[Timed]:
    """The timed recordings of a cell from the tables in ``folder``."""
    chunks = read_table(folder, "chunks")
    names = ("utterances", "tokens", "reference_words")
    return timed_recordings(sheet, chunks.filter(chunks["timed"]), *(read_table(folder, name) for name in names))


def walls(sheet: Sheet, folder: Path) -> dict[tuple[str, int], float]:
    """Of each chunk of a timed recording, by recording and number, the wall time at which its result was there."""
    return {(t.utterance_id, chunk): float(end) for t in read_timed(sheet, folder) for chunk, end in enumerate(t.end_s)}


def timed_recordings(
    sheet: Sheet, chunks: pa.Table, utterances: pa.Table, tokens: pa.Table, words: pa.Table
) -> Iterator[Timed]:
    """The recordings that ``chunks`` are of, from a cell's tables; of tokens those of the first pass count."""
    names = pc.unique(chunks["utterance_id"])
    by_name = _grouped(chunks)
    said = _grouped(_of(tokens.filter(pc.equal(tokens["pass"], 0)), names))
    spoken = _grouped(_of(words, names))
    for row in _of(utterances, names).to_pylist():
        name = row["utterance_id"]
        yield _one(sheet, row, by_name[name], said.get(name, []), spoken.get(name, []))


def _of(table: pa.Table, names: pa.Array) -> pa.Table:
    """The rows of some recordings; the others of a large corpus never become Python objects."""
    return table.filter(pc.is_in(table["utterance_id"], value_set=names))


def _grouped(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row["utterance_id"]].append(row)
    return groups


def _one(
    sheet: Sheet,
    utterance: Mapping[str, Any],
    chunks: Sequence[Mapping[str, Any]],
    tokens: Sequence[Mapping[str, Any]],
    spoken: Sequence[Mapping[str, Any]],
) -> Timed:
    due_s, service_s, end_s = _chunk_times(sheet, chunks)
    seen = [token["chunk"] for token in tokens if token["text"].strip()]
    speech_start_s = min((word["start_s"] for word in spoken), default=0.0)
    times = latency.StreamTimes(
        speech_start_s=speech_start_s,
        audio_s=utterance["audio_s"],
        first_token_wall_s=float(end_s[min(seen)]) if seen else None,
        last_result_wall_s=float(end_s[-1]),
    )
    reference = normalize(utterance["reference"], sheet.normalizer).split()
    screens = transcripts(tokens, len(due_s))
    placed = _placed(sheet, reference, spoken)
    recognized = _emissions(sheet, placed, _said(tokens, screens), due_s, end_s)
    return Timed(
        utterance_id=utterance["utterance_id"],
        speaker=utterance["speaker"],
        audio_s=utterance["audio_s"],
        due_s=due_s,
        service_s=service_s,
        end_s=end_s,
        times=times,
        words=tuple(word for _, word in recognized),
        places=tuple(place for place, _ in recognized),
        n_words=len(reference),
        n_placed=len(placed),
        n_revisions=latency.count_revisions(screens),
        has_times=bool(spoken),
    )


def _chunk_times(sheet: Sheet, chunks: Sequence[Mapping[str, Any]]) -> tuple[Any, Any, Any]:
    """Due, service and end times (n,) of a recording's chunks, one figure each over the passes."""
    n_passes = 1 + max(chunk["pass"] for chunk in chunks)
    ordered = sorted(chunks, key=lambda chunk: (chunk["pass"], chunk["chunk"]))
    due_s = np.array([chunk["due_s"] for chunk in ordered]).reshape(n_passes, -1)[0]
    start_s = np.array([chunk["start_s"] for chunk in ordered]).reshape(n_passes, -1)
    service_s = np.array([chunk["service_s"] for chunk in ordered]).reshape(n_passes, -1)
    if sheet.cell.pacing == "real":
        return due_s, np.median(service_s, axis=0), np.median(start_s + service_s, axis=0)
    typical = np.median(service_s, axis=0)
    return due_s, typical, clock.replay(due_s, typical)[1]


def _placed(sheet: Sheet, reference: Sequence[str], spoken: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """The normalized reference words with their ends in seconds; none where the timed words are other ones."""
    words = _normalized_words(sheet, [(word["word"], word["end_s"]) for word in spoken])
    return words if [word for word, _ in words] == list(reference) else []


def _emissions(
    sheet: Sheet,
    placed: Sequence[tuple[str, float]],
    said: Sequence[tuple[str, tuple[int, int]]],
    due_s: Any,
    end_s: Any,
) -> list[tuple[int, latency.Emission]]:
    """The reference words that were recognized, by place, with the chunks that showed and that finished them."""
    heard = _normalized_words(sheet, said)
    found = []
    for step in align_words(" ".join(word for word, _ in placed), " ".join(word for word, _ in heard)):
        if step.op == "equal" and step.reference_index is not None and step.hypothesis_index is not None:
            first, final = heard[step.hypothesis_index][1]
            emission = latency.Emission(
                end_s=placed[step.reference_index][1],
                first_stream_s=float(due_s[first]),
                final_stream_s=float(due_s[final]),
                first_wall_s=float(end_s[first]),
                final_wall_s=float(end_s[final]),
            )
            found.append((step.reference_index, emission))
    return found


def _normalized_words(sheet: Sheet, words: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Words after normalization; one that splits passes what it carries on to each part."""
    return [(part, carried) for word, carried in words for part in normalize(word, sheet.normalizer).split()]


def _said(tokens: Sequence[Mapping[str, Any]], screens: Sequence[Sequence[str]]) -> list[tuple[str, tuple[int, int]]]:
    """The final words, each with the chunk since which it has stood in its place and the chunk that made it final.

    Tokens join to a text and the text splits into words, however the tokens were cut.
    """
    final = sorted((t for t in tokens if t["final"] and t["kind"] == "text"), key=lambda t: t["index"])
    text = "".join(token["text"] for token in final)
    chunk_of = [token["chunk"] for token in final for _ in token["text"]]
    words = []
    for place, found in enumerate(re.finditer(r"\S+", text)):
        last: int = max(chunk_of[found.start() : found.end()])
        words.append((found.group(), (_standing_since(found.group(), place, last, screens), last)))
    return words


def _standing_since(word: str, place: int, last: int, screens: Sequence[Sequence[str]]) -> int:
    """The first of the chunks up to ``last`` from which on the word stood at this place of every screen."""
    first = last
    while first > 0 and place < len(screens[first - 1]) and screens[first - 1][place] == word:
        first -= 1
    return first


def transcripts(tokens: Sequence[Mapping[str, Any]], n_chunks: int) -> list[list[str]]:
    """What stood on the screen after each chunk, as words."""
    line: dict[int, str] = {}
    by_chunk: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for token in tokens:
        by_chunk[token["chunk"]].append(token)
    screens = []
    for chunk in range(n_chunks):
        for token in by_chunk.get(chunk, ()):
            line[token["index"]] = token["text"]
        screens.append("".join(line[index] for index in sorted(line)).split())
    return screens
