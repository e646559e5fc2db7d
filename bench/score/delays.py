"""Scores when a recognizer's words came: latencies on the paced stream, and real-time factors.

Only recordings marked as timed count: those drawn to be streamed in every pass. With virtual pacing each chunk's
service time is its median over the passes, replayed against the schedule; with real pacing a chunk ends
at its median measured time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earmark.bench import clock
from earmark.bench.metrics import latency
from earmark.bench.metrics.gaps import gap_names
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.percentiles import cohort_percentiles, percentile_bootstrap
from earmark.bench.metrics.statistics import speaker_bootstrap
from earmark.bench.metrics.words import align_words
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.words import gap_rows, too_small
from earmark.bench.tables import read_table

N_REPLICATES = 1000
COHORT_PERCENTILE = 95
"""The percentile of word delays that is compared between cohorts."""


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


def score_delays(sheet: Sheet, folder: Path, schemes: Sequence[Scheme] = ()) -> Iterator[Measurement]:
    """Rows of a cell's latencies and real-time factors, and of word delays by cohort where there are schemes."""
    timed = list(_timed(sheet, folder))
    if not timed:
        return
    yield from _real_time_factors(sheet, timed)
    yield from _stream_rows(sheet, timed)
    yield from _word_rows(sheet, timed)
    yield from _revision_row(sheet, timed)
    for scheme in schemes:
        yield from _cohort_rows(sheet, scheme, timed)


def score_stream(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Rows of a cell's real-time factors, first texts and last results: those that need no order of words."""
    timed = list(_timed(sheet, folder))
    if timed:
        yield from _real_time_factors(sheet, timed)
        yield from _stream_rows(sheet, timed)


def walls(sheet: Sheet, folder: Path) -> dict[tuple[str, int], float]:
    """Of each chunk of a timed recording, by recording and number, the wall time at which its result was there."""
    return {(t.utterance_id, chunk): float(end) for t in _timed(sheet, folder) for chunk, end in enumerate(t.end_s)}


def _revision_row(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    n_words, revisions = sum(t.n_words for t in timed), sum(t.n_revisions for t in timed)
    if n_words:
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
    yield from percentile_rows(sheet, "compute_chunk", (50, 95), chunks_ms, n_unit="chunks")


def _stream_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """First text and last result of each stream; the first counts from the start of speech, where that is known."""
    placed = [t for t in timed if t.has_times]
    first = [[ms] for ms in latency.first_token([t.times for t in placed or timed])]
    fields: dict[str, Any] = {"n_unit": "streams", "coverage": len(placed or timed) / len(timed)}
    flags = [] if placed else ["from_start_of_recording"]
    yield from percentile_rows(sheet, "first_token", (50, 90), first, flags=flags, **fields)
    last = [[ms] for ms in latency.finalize([t.times for t in timed])]
    yield from percentile_rows(sheet, "finalize", (50, 90), last, n_unit="streams")


def _word_rows(sheet: Sheet, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """Delays of the words that were recognized, by recording, with the share of words they speak for."""
    n_placed = sum(t.n_placed for t in timed)
    covered = latency.coverage(sum(len(t.words) for t in timed), n_placed)
    kinds = (
        ("upl_final", (50, 90, 95, 99), latency.upl_final),
        ("upl_first", (50, 90), latency.upl_first),
        ("emission", (50, 90), latency.emission),
    )
    for name, percentiles, delays in kinds:
        values = [delays(t.words) for t in timed if t.words]
        fields = {"n_unit": "words", "coverage": covered, "normalizer": sheet.normalizer}
        if values:
            yield from percentile_rows(sheet, name, percentiles, values, **fields)
            continue
        reason = "no word was recognized" if n_placed else "the corpus has no word times that fit its texts"
        for q in percentiles:
            yield sheet.missing(f"{name}_p{q}", "insufficient" if n_placed else "unsupported", reason, **fields)


def percentile_rows(
    sheet: Sheet, name: str, percentiles: Sequence[int], by_recording: Sequence[Sequence[float]], **fields: Any
) -> Iterator[Measurement]:
    """Percentiles over all values, with intervals that resample recordings."""
    values = np.array([value for found in by_recording for value in found])
    recordings = [str(number) for number, found in enumerate(by_recording) for _ in found]
    for q in percentiles:
        seed = sheet.seed(name, str(q))
        interval = percentile_bootstrap(values, recordings, q, n_replicates=N_REPLICATES, seed=seed)
        interval = replace(interval, method=f"{interval.method} over recordings")
        yield sheet.row(
            f"{name}_p{q}", latency.percentile(values, q), interval=interval, n=len(values), **fields
        )  # fmt: skip


def _cohort_rows(sheet: Sheet, scheme: Scheme, timed: Sequence[Timed]) -> Iterator[Measurement]:
    """The delay that 95 % of each cohort's recognized words stay under, and the gaps between cohorts.

    A cohort's coverage is the share of its words that the delays speak for: who is recognized worse is heard less of.
    """
    known = [t for t in timed if t.speaker in scheme.cohort_of]
    placed: dict[str, int] = defaultdict(int)
    for t in known:
        placed[scheme.cohort_of[t.speaker or ""]] += t.n_placed
    delays = {t.utterance_id: latency.upl_final(t.words) for t in known if t.words}
    if not delays:
        return
    values = [value for found in delays.values() for value in found]
    speakers = [t.speaker or "" for t in known if t.words for _ in t.words]
    name, seed = f"upl_final_p{COHORT_PERCENTILE}", sheet.seed("upl_final", scheme.name)
    found = cohort_percentiles(values, speakers, scheme.cohort_of, COHORT_PERCENTILE, seed=seed)
    for cohort in found.cohorts:
        yield sheet.row(
            name, cohort.value, interval=cohort.interval, scheme=scheme.name, cohort=cohort.name, n=cohort.n_values,
            n_unit="words", n_speakers=cohort.n_speakers, normalizer=sheet.normalizer, status=cohort.status,
            coverage=latency.coverage(cohort.n_values, placed[cohort.name]),
            reason=too_small(cohort.status, "10 speakers or 30 words beyond the percentile"),
        )  # fmt: skip
    yield from gap_rows(sheet, scheme, found.gap.named(name), gap_names(name), normalizer=sheet.normalizer)


# --- from tables to timed recordings ------------------------------------------------------------------------------


def _timed(sheet: Sheet, folder: Path) -> Iterator[Timed]:
    chunks = read_table(folder, "chunks")
    names = ("utterances", "tokens", "reference_words")
    return timed_recordings(sheet, chunks.filter(chunks["timed"]), *(read_table(folder, name) for name in names))


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
