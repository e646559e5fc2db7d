"""Scores when a recognizer's words came: latencies on the paced stream, and real-time factors.

Only recordings that were streamed in every pass are timed. With virtual pacing each chunk's service time is its median
over the passes, replayed against the schedule; with real pacing a chunk ends at its median measured time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench import clock
from earmark.bench.metrics import latency
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.statistics import recording_bootstrap, speaker_bootstrap
from earmark.bench.metrics.words import align_words
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table

N_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class Timed:
    """One timed recording: its chunks' due, service and end times (n,), and its words that were recognized."""

    utterance_id: str
    audio_s: float
    due_s: np.ndarray[Any, np.dtype[np.float64]]
    service_s: np.ndarray[Any, np.dtype[np.float64]]
    end_s: np.ndarray[Any, np.dtype[np.float64]]
    times: latency.StreamTimes
    words: tuple[latency.Emission, ...]
    n_reference: int
    n_revisions: int


def score_delays(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Rows of a cell's latencies and real-time factors."""
    timed = list(_timed(sheet, folder))
    if not timed:
        return
    yield from _real_time_factors(sheet, timed)
    yield from _stream_rows(sheet, timed)
    yield from _word_rows(sheet, timed)
    n_words = sum(t.n_reference for t in timed)
    if n_words:
        revisions = sum(t.n_revisions for t in timed)
        yield sheet.row(
            "partial_revisions_per_word", revisions / n_words, numerator=revisions, denominator=n_words,
            n=len(timed), n_unit="streams", normalizer=sheet.normalizer,
        )  # fmt: skip


def _real_time_factors(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    spent, audio = [float(t.service_s.sum()) for t in timed], [t.audio_s for t in timed]
    interval = speaker_bootstrap(spent, audio, seed=sheet.seed("rtf_streaming"), method="percentile")
    interval = replace(interval, method=f"{interval.method} over recordings")
    streams: dict[str, Any] = {"n": len(timed), "n_unit": "streams"}
    factor = latency.real_time_factor(spent, audio)
    yield sheet.row("rtf_streaming", factor, interval=interval, numerator=sum(spent), denominator=sum(audio), **streams)
    windows = [latency.max_window_rtf(t.service_s, t.due_s) for t in timed]
    yield sheet.row("rtf_streaming_max_10s", max(w for w in windows if w is not None), **streams)
    chunks_ms = [(1000 * t.service_s).tolist() for t in timed]
    yield from _percentiles(sheet, "compute_chunk", (50, 95), chunks_ms, n_unit="chunks")


def _stream_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    streams = [t.times for t in timed]
    first = [[ms] for ms in latency.first_token(streams)]
    yield from _percentiles(sheet, "first_token", (50, 90), first, n_unit="streams")
    last = [[ms] for ms in latency.finalize(streams)]
    yield from _percentiles(sheet, "finalize", (50, 90), last, n_unit="streams")


def _word_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """Delays of the words that were recognized, by recording, with the share of words they speak for."""
    n_reference = sum(t.n_reference for t in timed)
    covered = latency.coverage(sum(len(t.words) for t in timed), n_reference)
    kinds = (
        ("upl_final", (50, 90, 95, 99), latency.upl_final),
        ("upl_first", (50, 90), latency.upl_first),
        ("emission", (50, 90), latency.emission),
    )
    for name, percentiles, delays in kinds:
        values = [delays(t.words) for t in timed if t.words]
        fields = {"n_unit": "words", "coverage": covered, "normalizer": sheet.normalizer}
        if values:
            yield from _percentiles(sheet, name, percentiles, values, **fields)
            continue
        reason = "no word was recognized" if n_reference else "the corpus has no word times"
        for q in percentiles:
            yield sheet.missing(f"{name}_p{q}", "insufficient" if n_reference else "unsupported", reason, **fields)


def _percentiles(
    sheet: Sheet, name: str, percentiles: Sequence[int], by_recording: Sequence[Sequence[float]], **fields: Any
) -> Iterator[Measurement]:
    """Percentiles over all values, with intervals that resample recordings."""
    values = np.array([value for found in by_recording for value in found])
    recordings = [str(number) for number, found in enumerate(by_recording) for _ in found]
    for q in percentiles:
        interval = recording_bootstrap(
            values,
            recordings,
            partial(latency.percentile, q=q),
            n_replicates=N_REPLICATES,
            seed=sheet.seed(name, str(q)),
        )
        value = latency.percentile(values, q)
        yield sheet.row(
            f"{name}_p{q}",
            value,
            interval=replace(interval, method=f"{interval.method} over recordings"),
            n=len(values),
            **fields,
        )


# --- from tables to timed recordings ------------------------------------------------------------------------------


def _timed(sheet: Sheet, folder: Path) -> Iterator[Timed]:
    chunks = _grouped(read_table(folder, "chunks").to_pylist())
    tokens = _grouped(row for row in read_table(folder, "tokens").to_pylist() if row["pass"] == 0)
    spoken = _grouped(read_table(folder, "reference_words").to_pylist())
    utterances = read_table(folder, "utterances").to_pylist()
    n_passes = max((1 + row["pass"] for rows in chunks.values() for row in rows), default=0)
    for row in utterances:
        name = row["utterance_id"]
        if 1 + max((chunk["pass"] for chunk in chunks.get(name, ())), default=-1) == n_passes > 0:
            yield _one(sheet, row, chunks[name], tokens.get(name, []), spoken.get(name, []))


def _grouped(rows: Any) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
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
    words, n_reference = _emissions(sheet, utterance, tokens, spoken, due_s, end_s)
    n_revisions = latency.count_revisions(transcripts(tokens, len(due_s)))
    return Timed(
        utterance["utterance_id"], utterance["audio_s"], due_s, service_s, end_s, times, words, n_reference, n_revisions
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


def _emissions(
    sheet: Sheet,
    utterance: Mapping[str, Any],
    tokens: Sequence[Mapping[str, Any]],
    spoken: Sequence[Mapping[str, Any]],
    due_s: Any,
    end_s: Any,
) -> tuple[tuple[latency.Emission, ...], int]:
    """The reference words recognized, with the chunks that first showed and that finished them; and how many there are.

    Nothing for an utterance whose words have no times, or whose normalized text is not that of its words.
    """
    reference = _normalized_words(sheet, [(word["word"], word) for word in spoken])
    if not reference or [w for w, _ in reference] != normalize(utterance["reference"], sheet.normalizer).split():
        return (), 0
    said = _normalized_words(sheet, _said(tokens))
    text = " ".join(word for word, _ in said)
    if text.split() != normalize(utterance["hypothesis_raw"], sheet.normalizer).split():
        return (), 0
    found = []
    for step in align_words(" ".join(word for word, _ in reference), text):
        if step.op == "equal" and step.reference_index is not None and step.hypothesis_index is not None:
            word, (first, final) = reference[step.reference_index][1], said[step.hypothesis_index][1]
            found.append(
                latency.Emission(
                    end_s=word["end_s"],
                    first_stream_s=float(due_s[first]),
                    final_stream_s=float(due_s[final]),
                    first_wall_s=float(end_s[first]),
                    final_wall_s=float(end_s[final]),
                )
            )
    return tuple(found), len(reference)


def _normalized_words(sheet: Sheet, words: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Words after normalization; one that splits passes what it carries on to each part."""
    return [(part, carried) for word, carried in words for part in normalize(word, sheet.normalizer).split()]


def _said(tokens: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[int, int]]]:
    """The final words with the chunks that first showed and that finished each."""
    final = sorted((t for t in tokens if t["final"] and t["kind"] == "text"), key=lambda t: t["index"])
    shown: dict[tuple[int, str], int] = {}
    for token in sorted(tokens, key=lambda t: t["chunk"]):
        shown.setdefault((token["index"], token["text"]), token["chunk"])
    words: list[tuple[str, tuple[int, int]]] = []
    for token in final:
        first, last = shown[token["index"], token["text"]], token["chunk"]
        if words and not token["text"].startswith(" "):
            text, (first_before, last_before) = words.pop()
            words.append((text + token["text"], (max(first_before, first), max(last_before, last))))
        else:
            words.append((token["text"].strip(), (first, last)))
    return words


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
