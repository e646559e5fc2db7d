"""Recordings to train on, decoded once: float32 samples in an Arrow file that ``datasets`` maps into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from earmark.bench.api import Example, Samples, Table, Turn, Word
from earmark.bench.corpora import audio
from earmark.bench.corpora.schema import metadata
from earmark.bench.disk import whole_folder

if TYPE_CHECKING:
    from datasets import Dataset

Report = Callable[[int, int, str], None]
SHOWN = ("utterance_id", "speaker", "duration_s")


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
        return [float(row["duration_s"]) for row in self.corpus_rows]

    @property
    def speakers(self) -> list[str | None]:
        return [row["speaker"] for row in self.corpus_rows]

    def example(self, place: int) -> Example:
        row = self.corpus_rows[place]
        heard: Samples = np.array(self.samples[place]["samples"], dtype=np.float32)
        return Example(row["id"], heard, (turn_of(row),))

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        """Examples of these places, or of all."""
        for place in range(len(self.corpus_rows)) if where is None else where:
            yield self.example(place)


def turn_of(row: Mapping[str, Any]) -> Turn:
    """What is said in a row, as one turn over the whole recording."""
    words = tuple(Word(word["word"], word["start"], word["end"]) for word in row["words"] or ())
    return Turn(row["text"], 0.0, float(row["duration_s"]), row["speaker"], words)


def load(
    rows: Sequence[Mapping[str, Any]],
    *,
    rate_hz: int,
    cache: Path,
    key: str,
    progress: Report,
    cohorts: Sequence[str] | None = None,
) -> TrainingData:
    """Rows with their samples at ``rate_hz``.

    Args:
        rows: of the corpus schema.
        cache: folder in which decoded samples are kept.
        key: stands for the content of the corpora that the rows come from.
        cohorts: of each row, where they were assigned.
    """
    ids = [row["id"] for row in rows]
    digest = hashlib.sha256(json.dumps([key, rate_hz, ids]).encode()).hexdigest()[:16]
    folder = cache / "decoded" / digest
    if not folder.is_dir():
        _decode(rows, rate_hz, folder, progress)
    from datasets import load_from_disk

    samples = load_from_disk(str(folder)).with_format("numpy")
    return TrainingData(_table(rows, cohorts), rows, samples)


def _decode(rows: Sequence[Mapping[str, Any]], rate_hz: int, folder: Path, progress: Report) -> None:
    """Decode everything into a folder beside, and rename it when it is whole."""
    from datasets import Dataset

    def heard() -> Iterator[Any]:
        for done, row in enumerate(rows, start=1):
            samples = audio.decode(row)
            if rate_hz != audio.SAMPLE_RATE_HZ:
                samples = audio.resample(samples.astype(np.float64), audio.SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
            progress(done, len(rows), "decoding")
            yield pa.array(samples)

    column = pa.chunked_array([pa.array([values], type=pa.large_list(pa.float32())) for values in heard()])
    with whole_folder(folder) as partial:
        Dataset(pa.table({"samples": column})).save_to_disk(str(partial))


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
