"""Hears recordings as they come, through embedders that can: what they say after some seconds, how long it takes.

Recordings whose timing is measured are heard whole, in every pass, and after every chunk the model is asked for its
embedding, as if somebody waited for an answer. All others are heard once, up to the longest of the stated durations,
and it is asked after each of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from earmark.bench.api import Array, CountsWork, EmbeddingStream, SpeakerEmbedder, StreamsEmbeddings, Unsupported
from earmark.bench.clock import cut
from earmark.bench.observe.devices import meter_of
from earmark.bench.observe.settings import Advance, Misbehaved, Recording, Settings, hear, timed_ids
from earmark.bench.tables import Writer

CHUNK_S = 0.1
HEARD_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds of a recording after which its embedding is kept."""


def observe_stream(
    model: SpeakerEmbedder, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer, advance: Advance
) -> None:
    """Write ``prefixes`` and ``voice_chunks``, and a fact that says why where the model hears no streams."""
    problem = _problem(model)
    if problem is not None:
        writer.add("facts", utterance_id="", name="no_embedding_stream", note=problem)
        return
    timed = timed_ids([row["id"] for row in rows], settings.timing_recordings)
    _listen(model, hear(rows[0], settings, model.info.sample_rate_hz), settings)  # warm-up
    for number in range(settings.passes):
        for done, row in enumerate(rows, start=1):
            if row["id"] in timed or (number == 0 and not settings.timing_only):
                recording = hear(row, settings, model.info.sample_rate_hz)
                whole = row["id"] in timed
                chunks = _listen(model, recording, settings, whole=whole)
                if number == 0 and not settings.timing_only:
                    _write_prefixes(recording, [vector for *_, vector in chunks], writer, whole=whole)
                if whole:
                    _write_chunks(recording, chunks, number, writer)
                advance(done, len(rows), f"{row['id']} as it comes")


def _problem(model: SpeakerEmbedder) -> str | None:
    if not isinstance(model, StreamsEmbeddings):
        return "the model hears whole recordings only"
    try:
        model.embedding_stream()
    except Unsupported as error:
        return str(error)
    return None


def _listen(
    model: Any, recording: Recording, settings: Settings, *, whole: bool = True
) -> list[tuple[int, float, int, Array | None]]:
    """Of each chunk, or else of each stretch between the durations: samples, service time, MACs, embedding after it."""
    meter, stream = meter_of(settings.device), model.embedding_stream()
    found, before = [], 0
    for part in cut(recording.samples, round(CHUNK_S * recording.rate_hz)) if whole else _stages(recording):

        def answer(part: Any = part) -> Array | None:
            stream.accept(part)
            return stream.embedding()  # type: ignore[no-any-return]

        service_s, _, vector = meter(answer)
        macs = _macs(stream)
        found.append((len(part), service_s, macs - before, vector))
        before = macs
    return found


def _stages(recording: Recording) -> Iterator[Array]:
    """The recording up to the longest of the stated durations, cut after each of them."""
    edges = [round(heard_s * recording.rate_hz) for heard_s in HEARD_S]
    for start, end in pairwise([0, *edges]):
        if start < len(recording.samples):
            yield recording.samples[start:end]


def _macs(stream: EmbeddingStream) -> int:
    return sum(stream.work().values()) if isinstance(stream, CountsWork) else 0


def _write_prefixes(recording: Recording, told: Sequence[Array | None], writer: Writer, *, whole: bool) -> None:
    """The embedding after each duration that the recording has; a null vector where there was none yet."""
    for stage, heard_s in enumerate(HEARD_S):
        place = round(heard_s / CHUNK_S) - 1 if whole else stage
        if recording.audio_s < heard_s - 1e-9 or place >= len(told):
            continue
        vector = told[place]
        if vector is not None and not np.isfinite(vector).all():
            raise Misbehaved(f"utterance {recording.utterance_id}: after {heard_s:g} s the embedding is not finite")
        numbers = None if vector is None else vector.astype(np.float32).tolist()
        writer.add("prefixes", utterance_id=recording.utterance_id, heard_s=heard_s, vector=numbers)


def _write_chunks(
    recording: Recording, chunks: Sequence[tuple[int, float, int, Array | None]], number: int, writer: Writer
) -> None:
    fed = 0
    for place, (n_samples, service_s, macs, vector) in enumerate(chunks):
        fed += n_samples
        writer.add(
            "voice_chunks", utterance_id=recording.utterance_id, **{"pass": number}, chunk=place, n_samples=n_samples,
            due_s=fed / recording.rate_hz, service_s=service_s, macs=macs, answered=vector is not None,
        )  # fmt: skip
