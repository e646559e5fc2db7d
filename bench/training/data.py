"""Recordings to train on, decoded once: float32 samples in an Arrow file that ``datasets`` maps into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from filelock import FileLock

from earmark.bench.api import Example, Samples, Table, Turn, Word
from earmark.bench.corpora import audio
from earmark.bench.corpora.conversations.arrangement import channels
from earmark.bench.corpora.schema import metadata
from earmark.bench.corpora.silence import spoken
from earmark.bench.disk import whole_folder

if TYPE_CHECKING:
    from datasets import Dataset

Report = Callable[[int, int, str], None]
LAYOUT = 3
"""Of what is kept in the cache; another number, and it is decoded again."""


class Recordings(Protocol):
    """What a training learns from: examples by their place."""

    @property
    def rows(self) -> Table: ...
    @property
    def durations(self) -> list[float]: ...
    @property
    def speakers(self) -> list[str | None]: ...
    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]: ...


@dataclass(frozen=True)
class TrainingData:
    """Rows of a corpus with their samples, in a fixed order.

    ``rows`` is what a repair may see: metadata columns and, where one was assigned, ``cohort``; no outcomes.
    """

    rows: Table
    corpus_rows: Sequence[Mapping[str, Any]]
    samples: Dataset

    @property
    def durations(self) -> list[float]:
        """Of what is left of each recording, in seconds."""
        return [float(duration) for duration in self.samples.data.column("duration_s").to_pylist()]

    @property
    def speakers(self) -> list[str | None]:
        return [row["speaker"] for row in self.corpus_rows]

    def sound(self, place: int) -> Samples:
        """What is left of a recording: samples (n,), a view that can't be written to."""
        kept = self.samples.data.column("samples")[place]
        return np.asarray(kept.values.to_numpy(zero_copy_only=True), dtype=np.float32)

    def example(self, place: int) -> Example:
        row = self.corpus_rows[place]
        kept = self.samples[place]
        heard: Samples = np.array(kept["samples"], dtype=np.float32)
        return Example(row["id"], heard, turns_of(row, float(kept["begins_s"]), float(kept["duration_s"])))

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        """Examples of these places, or of all."""
        for place in range(len(self.corpus_rows)) if where is None else where:
            yield self.example(place)


def turns_of(row: Mapping[str, Any], begins_s: float, duration_s: float) -> tuple[Turn, ...]:
    """Who speaks when in a row, on which channel, in what is left of the recording from ``begins_s`` on."""
    if not row["segments"]:
        return (turn_of(row, begins_s, duration_s),)
    segments = sorted(row["segments"], key=lambda segment: (segment["start"], segment["end"]))
    spans = [
        (_within(segment["start"] - begins_s, duration_s), _within(segment["end"] - begins_s, duration_s))
        for segment in segments
    ]
    return tuple(
        Turn(segment["text"], start_s, end_s, segment["speaker"], channel=channel)
        for segment, (start_s, end_s), channel in zip(segments, spans, channels(spans), strict=True)
    )


def turn_of(row: Mapping[str, Any], begins_s: float, duration_s: float) -> Turn:
    """What is said in a row, as one turn over what is left of the recording, which begins at ``begins_s`` of it."""
    words = tuple(
        Word(word["word"], _within(word["start"] - begins_s, duration_s), _within(word["end"] - begins_s, duration_s))
        for word in row["words"] or ()
    )
    return Turn(row["text"], 0.0, duration_s, row["speaker"], words)


def _within(seconds: float, duration_s: float) -> float:
    return float(max(0.0, min(duration_s, seconds)))


def load(
    rows: Sequence[Mapping[str, Any]],
    *,
    rate_hz: int,
    cache: Path,
    key: str,
    progress: Report,
    cohorts: Sequence[str] | None = None,
    silence_s: float | None = None,
) -> TrainingData:
    """Rows with their samples at ``rate_hz``.

    Args:
        rows: of the corpus schema.
        cache: folder in which decoded samples are kept.
        key: stands for the content of the corpora that the rows come from.
        cohorts: of each row, where they were assigned.
        silence_s: so much silence is left before and after what is said; None: all there is.
    """
    ids = [row["id"] for row in rows]
    digest = hashlib.sha256(json.dumps([LAYOUT, key, rate_hz, silence_s, ids]).encode()).hexdigest()[:16]
    folder = cache / "decoded" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # trainings beside this one want the same samples
        if not folder.is_dir():
            _decode(rows, rate_hz, silence_s, folder, progress)
    from datasets import load_from_disk

    samples = load_from_disk(str(folder)).with_format("numpy")
    return TrainingData(_table(rows, cohorts), rows, samples)


def _decode(
    rows: Sequence[Mapping[str, Any]], rate_hz: int, silence_s: float | None, folder: Path, progress: Report
) -> None:
    """Decode everything into a folder beside, and rename it when it is whole."""
    from datasets import Dataset

    begins, durations, heard = [], [], []
    for done, row in enumerate(rows, start=1):
        samples = audio.decode(row)
        if rate_hz != audio.SAMPLE_RATE_HZ:
            samples = audio.resample(samples.astype(np.float64), audio.SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
        kept = slice(0, len(samples)) if silence_s is None else spoken(row, samples, rate_hz, silence_s)
        begins.append(kept.start / rate_hz)
        durations.append((kept.stop - kept.start) / rate_hz)
        part = pa.array(samples[kept])
        heard.append(pa.LargeListArray.from_arrays(pa.array([0, len(part)], pa.int64()), part))
        progress(done, len(rows), "decoding")
    table = pa.table({"samples": pa.chunked_array(heard), "begins_s": begins, "duration_s": durations})
    with whole_folder(folder) as partial:
        Dataset(table).save_to_disk(str(partial))


def _table(rows: Sequence[Mapping[str, Any]], cohorts: Sequence[str] | None) -> Table:
    known = [metadata(row) for row in rows]
    columns: dict[str, list[Any]] = {
        "utterance_id": [row["id"] for row in rows],
        "speaker": [row["speaker"] for row in rows],
        "duration_s": [float(row["duration_s"]) for row in rows],
        "lat": [row["lat"] for row in rows],
        "lon": [row["lon"] for row in rows],
    }
    for name in sorted({name for found in known for name in found} - set(columns)):
        columns[name] = [found.get(name) for found in known]
    return pa.table({**columns, **({"cohort": list(cohorts)} if cohorts is not None else {})})
