"""Embeds recordings, lists trials and writes their cosine scores; computes no error rate.

Each recording is embedded on its own, so that its service time is its own. The first pass gives the embeddings; the
others repeat the timed recordings. Speakers who are not measured are embedded once: some of ``train`` as impostors to
normalize scores by, some of ``dev`` for trials to calibrate scores on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import CountsWork, SpeakerEmbedder, TrialList
from earmark.bench.observe.compute import count_macs
from earmark.bench.observe.devices import WARM_UPS, gauge_of, kind_of, meter_of
from earmark.bench.observe.selection import NOBODY, References
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
from earmark.bench.observe.trials import WITHIN, Trial, Voice, build_trials, check_speakers, listed_trials
from earmark.bench.observe.voice_stream import observe_stream
from earmark.bench.tables import Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def observe(
    model: SpeakerEmbedder,
    rows: Sequence[Mapping[str, Any]],
    settings: Settings,
    writer: Writer,
    advance: Advance,
    references: References = NOBODY,
    listed: TrialList | None = None,
) -> list[str]:
    """Observe an embedder on corpus rows, all of which name a speaker; returns flags for the cell.

    ``references`` are speakers who are not measured; ``listed`` are the trials that the corpus brings, if it does.
    """
    vectors, flags = _embed_all(model, rows, settings, writer, advance)
    flags |= _cross_check_work(model, rows[:N_CROSS_CHECKED], settings, writer)
    observe_stream(model, rows, settings, writer, advance)
    if not settings.timing_only:
        flags |= _try_all(rows, vectors, settings, writer, listed)
        _observe_references(model, references, settings, writer, advance)
    write_parameter_count(model, writer)
    return sorted(flags)


def voice_of(row: Mapping[str, Any], within: Sequence[str] = WITHIN) -> Voice:
    """A corpus row as a voice; ``session`` is a free column of the corpus where it has one."""
    from earmark.bench.corpora.schema import metadata

    known = metadata(row)
    group = tuple(known.get(name) for name in within)
    return Voice(row["id"], row["speaker"], row["text"] or "", group, known.get("session"))


def _try_all(
    rows: Sequence[Mapping[str, Any]],
    vectors: Mapping[str, NDArray[np.float64]],
    settings: Settings,
    writer: Writer,
    listed: TrialList | None,
) -> set[str]:
    """Score every trial; flag a list whose target trials may share a session, since its EER is optimistic."""
    within = settings.pair_within
    voices = [voice_of(row, within) for row in rows]
    flags = set()
    if listed is None:
        check_speakers(voices, where=f"split {settings.split}")
        trials = build_trials(voices, seed=settings.seed, within=within)
    else:
        trials = listed_trials(voices, listed, within=within)
        if len(trials) < len(listed.trials):
            flags.add(f"trials_left_out:{len(listed.trials) - len(trials)}")
    name = "built" if listed is None else listed.name
    for trial in trials:
        _write_trial("trials", trial, vectors, writer, list_name=name)
    if any(trial.target and trial.session_relation != "different" for trial in trials):
        flags.add("one_session")
    return flags


def _observe_references(
    model: SpeakerEmbedder, references: References, settings: Settings, writer: Writer, advance: Advance
) -> None:
    """Embed the impostors, and score trials of the speakers to calibrate on."""
    total = len(references.impostors) + len(references.calibration)
    done = 0

    def embedded(row: Mapping[str, Any]) -> tuple[Recording, NDArray[np.float64]]:
        nonlocal done
        recording = hear(row, settings, model.info.sample_rate_hz)
        done += 1
        advance(done, total, f"{recording.utterance_id}, not measured")
        return recording, _unit(_embed(model, recording), recording)

    for row in references.impostors:
        recording, vector = embedded(row)
        writer.add(
            "impostors", utterance_id=recording.utterance_id, speaker=row["speaker"],
            vector=vector.astype(np.float32).tolist(), metadata=recording.metadata_json,
        )  # fmt: skip
    vectors = {row["id"]: embedded(row)[1] for row in references.calibration}
    voices = [voice_of(row, settings.pair_within) for row in references.calibration]
    for trial in build_trials(voices, seed=settings.seed, within=settings.pair_within):
        _write_trial("calibration_trials", trial, vectors, writer, list_name="built")


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


def _write_trial(
    table: str, trial: Trial, vectors: Mapping[str, NDArray[np.float64]], writer: Writer, *, list_name: str
) -> None:
    writer.add(
        table,
        enroll_id=trial.enroll.utterance_id,
        test_id=trial.test.utterance_id,
        enroll_speaker=trial.enroll.speaker,
        test_speaker=trial.test.speaker,
        target=trial.target,
        score=float(vectors[trial.enroll.utterance_id] @ vectors[trial.test.utterance_id]),
        list_name=list_name,
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
