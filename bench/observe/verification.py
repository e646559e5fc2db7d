"""Embeds recordings, lists trials and writes their cosine scores; computes no error rate.

Each recording is embedded on its own, so that its service time is its own. The first pass gives the embeddings; the
others repeat the timed recordings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import CountsWork, SpeakerEmbedder
from earmark.bench.observe.compute import count_macs
from earmark.bench.observe.devices import WARM_UPS, gauge_of, kind_of, meter_of
from earmark.bench.observe.settings import (
    N_CROSS_CHECKED,
    Advance,
    Misbehaved,
    Recording,
    Settings,
    hear,
    timed_ids,
    write_cross_check,
    write_parameter_count,
)
from earmark.bench.observe.trials import Voice, build_trials, check_speakers
from earmark.bench.tables import Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def observe(
    model: SpeakerEmbedder, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer, advance: Advance
) -> list[str]:
    """Observe an embedder on corpus rows, all of which name a speaker; returns flags for the cell."""
    vectors, flags = _embed_all(model, rows, settings, writer, advance)
    flags |= _cross_check_work(model, rows[:N_CROSS_CHECKED], settings, writer)
    if not settings.timing_only:
        flags |= _try_all(rows, vectors, settings, writer)
    write_parameter_count(model, writer)
    return sorted(flags)


def voice_of(row: Mapping[str, Any]) -> Voice:
    """A corpus row as a voice; ``session`` is a free column of the corpus where it has one."""
    from earmark.bench.corpora.schema import metadata

    return Voice(row["id"], row["speaker"], row["text"] or "", row["gender"], metadata(row).get("session"))


def _try_all(
    rows: Sequence[Mapping[str, Any]], vectors: Mapping[str, NDArray[np.float64]], settings: Settings, writer: Writer
) -> set[str]:
    """Score every trial; flag a list whose target trials may share a session, since its EER is optimistic."""
    voices = [voice_of(row) for row in rows]
    check_speakers(voices, where=f"split {settings.split}")
    trials = build_trials(voices, seed=settings.seed)
    for trial in trials:
        score = float(vectors[trial.enroll.utterance_id] @ vectors[trial.test.utterance_id])
        _write_trial(trial, score, writer)
    shared = any(trial.target and trial.session_relation != "different" for trial in trials)
    return {"one_session"} if shared else set()


def _embed_all(
    model: SpeakerEmbedder, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer, advance: Advance
) -> tuple[dict[str, NDArray[np.float64]], set[str]]:
    timed = timed_ids([row["id"] for row in rows], settings.timing_recordings)
    again = [row for row in rows if row["id"] in timed]
    total, done = len(rows) + (settings.passes - 1) * len(again), 0
    vectors: dict[str, NDArray[np.float64]] = {}
    flags: set[str] = set()
    rate_hz = model.info.sample_rate_hz
    for _ in range(WARM_UPS.get(kind_of(settings.device), 1)):  # first calls allocate and compile
        _embed(model, hear(rows[0], settings, rate_hz))
    gauge, audio_s = gauge_of(settings.device), 0.0
    for number in range(settings.passes):
        for row in rows if number == 0 else again:
            recording = hear(row, settings, rate_hz)
            vector, service_s = _embed_one(model, recording, settings, writer, number, timed=row["id"] in timed)
            if not np.allclose(vectors.setdefault(recording.utterance_id, vector), vector, atol=1e-5):
                flags.add("nondeterministic")
            if number == 0:
                _write_embedding(recording, vector, service_s, writer)
            done, audio_s = done + 1, audio_s + recording.audio_s
            advance(done, total, recording.utterance_id)
    gauge.stop()
    gauge.write(writer, audio_s)
    return vectors, flags


def _embed_one(
    model: SpeakerEmbedder, recording: Recording, settings: Settings, writer: Writer, number: int, *, timed: bool
) -> tuple[NDArray[np.float64], float]:
    before = dict(model.work()) if isinstance(model, CountsWork) else {}
    service_s, device_s, vector = meter_of(settings.device)(partial(_embed, model, recording))
    if number == 0 and isinstance(model, CountsWork):
        for part, macs in model.work().items():
            done = int(macs) - int(before.get(part, 0))
            writer.add("work", utterance_id=recording.utterance_id, part=part, macs=done)
    writer.add(
        "chunks",
        utterance_id=recording.utterance_id,
        **{"pass": number},
        timed=timed,
        chunk=0,
        n_samples=len(recording.samples),
        due_s=recording.audio_s,
        start_s=recording.audio_s,
        service_s=service_s,
        device_s=device_s,
    )
    return _unit(vector, recording), service_s


def _embed(model: SpeakerEmbedder, recording: Recording) -> NDArray[np.float32]:
    vectors = model.embed(recording.samples[None, :], np.array([len(recording.samples)], dtype=np.int64))
    return np.asarray(vectors[0], dtype=np.float32)


def _unit(vector: NDArray[np.float32], recording: Recording) -> NDArray[np.float64]:
    """Length one, so that a product of two is their cosine."""
    exact = vector.astype(np.float64)
    norm = float(np.linalg.norm(exact))
    if not np.isfinite(norm) or norm == 0.0:
        raise Misbehaved(f"utterance {recording.utterance_id}: the embedding has norm {norm}")
    return exact / norm


def _write_embedding(recording: Recording, vector: NDArray[np.float64], service_s: float, writer: Writer) -> None:
    writer.add(
        "embeddings",
        utterance_id=recording.utterance_id,
        speaker=recording.row["speaker"],
        vector=vector.astype(np.float32).tolist(),
        audio_s=recording.audio_s,
        service_s=service_s,
        outcome="ok",
        metadata=recording.metadata_json,
    )


def _write_trial(trial: Any, score: float, writer: Writer) -> None:
    writer.add(
        "trials",
        enroll_id=trial.enroll.utterance_id,
        test_id=trial.test.utterance_id,
        enroll_speaker=trial.enroll.speaker,
        test_speaker=trial.test.speaker,
        target=trial.target,
        score=score,
        list_name="all",
        pairing=trial.pairing,
        session_relation=trial.session_relation,
        text_relation=trial.text_relation,
    )


def _cross_check_work(
    model: SpeakerEmbedder, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer
) -> set[str]:
    """Hold ``work()`` against an independent count of the same calls."""
    if not isinstance(model, CountsWork):
        return set()
    flags: set[str] = set()
    for row in rows:
        recording = hear(row, settings, model.info.sample_rate_hz)
        before = dict(model.work())
        counted = count_macs(partial(_embed, model, recording))
        claimed = {part: int(macs) - int(before.get(part, 0)) for part, macs in model.work().items()}
        flags |= write_cross_check(row["id"], claimed, counted, writer)
    return flags
