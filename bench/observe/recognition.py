"""Streams recordings through a recognizer and writes what came out and when; scores nothing.

Passes go round the recordings as a whole (all, then all again), so that a slow minute of the machine is spread over
recordings instead of falling on one. The first pass gives the transcripts; the others repeat the timed recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from earmark.bench import clock
from earmark.bench.api import Condition, CountsDenseWork, CountsWork, Probes, Recognizer, Samples, Stream, Token
from earmark.bench.corpora.conversations.arrangement import channels
from earmark.bench.corpora.schema import reference_text
from earmark.bench.observe.compute import count_macs
from earmark.bench.observe.concurrent import write_concurrent
from earmark.bench.observe.devices import WARM_UPS, gauge_of, kind_of, meter_of
from earmark.bench.observe.offline import write_offline
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
from earmark.bench.tables import Writer

Play = Callable[..., list[clock.ChunkEvent]]
Told = Callable[[str | None], Condition | None]
Transcript = Callable[[Sequence[Token]], str]


def joined(tokens: Sequence[Token]) -> str:
    """The transcript that final tokens make: their texts, one behind the other."""
    return "".join(token.text for token in tokens if token.kind == "text").strip()


def observe(
    model: Recognizer,
    rows: Sequence[Mapping[str, Any]],
    settings: Settings,
    writer: Writer,
    advance: Advance,
    told: Told = lambda _speaker: None,
    transcript: Transcript = joined,
) -> list[str]:
    """Observe a recognizer on corpus rows; returns flags for the cell (e.g. ``nondeterministic``).

    ``told`` gives the condition that a model hears of a speaker's cohort. The offline form, which takes none, is only
    observed where none is given. ``transcript`` makes a text of a recording's final tokens.
    """
    rate_hz = model.info.sample_rate_hz
    timed = timed_ids([row["id"] for row in rows], settings.timing_recordings)
    again = [row for row in rows if row["id"] in timed]
    total = len(rows) + (settings.passes - 1) * len(again)
    _warm_up(model, hear(rows[0], settings, rate_hz), settings)
    said: dict[str, str] = {}
    flags: set[str] = set()
    done, audio_s, gauge = 0, 0.0, gauge_of(settings.device)
    for number in range(settings.passes):
        for row in rows if number == 0 else again:
            recording = hear(row, settings, rate_hz)
            stream = model.stream(told(row["speaker"]))
            text = _observe_one(stream, recording, settings, writer, number, transcript, timed=row["id"] in timed)
            if said.setdefault(recording.utterance_id, text) != text:
                flags.add("nondeterministic")
            done, audio_s = done + 1, audio_s + recording.audio_s
            advance(done, total, recording.utterance_id)
    gauge.stop()
    gauge.write(writer, audio_s)
    if settings.concurrent:
        write_concurrent(model, again, settings, writer, advance)
    flags |= _cross_check_work(model, rows[:N_CROSS_CHECKED], settings, writer)
    write_parameter_count(model, writer)
    if not settings.timing_only and told(None) is None:
        write_offline(model, rows, settings, writer, transcript)
    return sorted(flags)


def _observe_one(
    stream: Stream,
    recording: Recording,
    settings: Settings,
    writer: Writer,
    number: int,
    transcript: Transcript,
    *,
    timed: bool,
) -> str:
    play = clock.real_pass if settings.pacing == "real" else clock.virtual_pass
    events = _play(stream, recording.samples, settings, recording.rate_hz, play)
    tokens = token_rows(events)
    check_claims(tokens, events, recording.utterance_id)
    for row in tokens:
        writer.add("tokens", utterance_id=recording.utterance_id, **{"pass": number}, **row)
    for event in events:
        writer.add("chunks", utterance_id=recording.utterance_id, **{"pass": number}, timed=timed, **_chunk_row(event))
    text = transcript([token for event in events for token in event.update.final])
    if number == 0:
        _write_utterance(recording, settings, text, writer)
        _write_extras(stream, recording, writer)
    return text


def _play(stream: Stream, samples: Samples, settings: Settings, rate_hz: int, play: Play) -> list[clock.ChunkEvent]:
    chunk = round(rate_hz * cast(int, settings.chunk_ms) / 1000)
    return play(stream, samples, chunk=chunk, rate_hz=rate_hz, meter=meter_of(settings.device))


def _chunk_row(event: clock.ChunkEvent) -> dict[str, Any]:
    return {
        "chunk": event.chunk,
        "n_samples": event.n_samples,
        "due_s": event.due_s,
        "start_s": event.start_s,
        "service_s": event.service_s,
        "device_s": event.device_s,
    }


def token_rows(events: Sequence[clock.ChunkEvent]) -> list[dict[str, Any]]:
    """Every final token once, and every change of the partial hypothesis.

    ``index`` counts along the whole transcript: final tokens first, then the partial behind them. A partial token is
    written where it differs from what was shown at that index; an empty text takes back what was shown there.
    """
    rows: list[dict[str, Any]] = []
    final: list[str] = []
    shown: list[str] = []
    hypothesis: tuple[Token, ...] = ()
    for event in events:
        for token in event.update.final:
            rows.append(_token_row(len(final), token, event, final=True))
            final.append(token.text)
        hypothesis = _partial_after(event, hypothesis)
        for place in range(max(len(hypothesis), len(shown) - len(final))):
            index, token = len(final) + place, hypothesis[place] if place < len(hypothesis) else Token("")
            if token.text != (shown[index] if index < len(shown) else ""):
                rows.append(_token_row(index, token, event, final=False))
        shown = [*final, *(token.text for token in hypothesis)]
    return rows


def _partial_after(event: clock.ChunkEvent, hypothesis: tuple[Token, ...]) -> tuple[Token, ...]:
    """None leaves the partial as it is, but what ``finish`` does not confirm is void."""
    if event.update.partial is not None:
        return event.update.partial
    return () if event.n_samples == 0 else hypothesis


def _token_row(index: int, token: Token, event: clock.ChunkEvent, *, final: bool) -> dict[str, Any]:
    return {
        "index": index,
        "channel": token.channel,
        "kind": token.kind,
        "text": token.text,
        "final": final,
        "chunk": event.chunk,
        "audio_s": token.audio_s,
        "emitted_s": event.end_s,
    }


def check_claims(tokens: Sequence[Mapping[str, Any]], events: Sequence[clock.ChunkEvent], utterance_id: str) -> None:
    """A model may not claim to have consumed audio that it had not been given."""
    fed_s = [event.due_s for event in events]
    for token in tokens:
        claim = token["audio_s"]
        if claim is not None and claim > fed_s[token["chunk"]] + 1e-9:
            fed = f"{fed_s[token['chunk']]:.3f} s had been fed"
            raise Misbehaved(f"utterance {utterance_id}: token {token['text']!r} claims {claim:.3f} s of audio, {fed}")


def _write_utterance(recording: Recording, settings: Settings, text: str, writer: Writer) -> None:
    row = recording.row
    writer.add(
        "utterances",
        utterance_id=recording.utterance_id,
        speaker=row["speaker"],
        split=settings.split,
        condition=settings.condition,
        reference=reference_text(row),
        hypothesis_raw=text,
        audio_s=recording.audio_s,
        outcome="ok",
        metadata=recording.metadata_json,
    )
    for word in row["words"] or ():
        writer.add(
            "reference_words",
            utterance_id=recording.utterance_id,
            word=word["word"],
            start_s=word["start"],
            end_s=word["end"],
        )
    for turn in reference_turns(row):
        writer.add("reference_turns", utterance_id=recording.utterance_id, **turn)


def reference_turns(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The turns of a row in order of start, each with the channel it belongs to; none where a row names no turns."""
    segments = sorted(row["segments"] or (), key=lambda segment: (segment["start"], segment["end"]))
    lanes = channels([(segment["start"], segment["end"]) for segment in segments])
    return [
        {
            "turn": number, "speaker": segment["speaker"], "channel": channel, "start_s": segment["start"],
            "end_s": segment["end"], "text": segment["text"],
        }
        for number, (segment, channel) in enumerate(zip(segments, lanes, strict=True))
    ]  # fmt: skip


def _write_extras(stream: object, recording: Recording, writer: Writer) -> None:
    """Work and probes are readings of the stream itself, taken after it has finished."""
    if isinstance(stream, CountsWork):
        dense = stream.dense_work() if isinstance(stream, CountsDenseWork) else {}
        for part, macs in stream.work().items():
            row = {"part": part, "macs": int(macs), "dense_macs": dense.get(part)}
            writer.add("work", utterance_id=recording.utterance_id, **row)
    if isinstance(stream, Probes):
        for name, value in stream.probes().items():
            writer.add("probes", utterance_id=recording.utterance_id, name=name, value=float(value))


def _warm_up(model: Recognizer, recording: Recording, settings: Settings) -> None:
    """A whole recording, decoded to its end and thrown away: first calls allocate and compile."""
    for _ in range(WARM_UPS.get(kind_of(settings.device), 1)):
        _play(model.stream(), recording.samples, settings, recording.rate_hz, clock.virtual_pass)


def _cross_check_work(
    model: Recognizer, rows: Sequence[Mapping[str, Any]], settings: Settings, writer: Writer
) -> set[str]:
    """Hold ``work()`` against an independent count of the same streams, what opens them included."""
    flags: set[str] = set()
    for row in rows:
        if not isinstance(model.stream(), CountsWork):
            return set()
        opened: list[CountsWork] = []
        counted = count_macs(partial(_listen, model, hear(row, settings, model.info.sample_rate_hz), settings, opened))
        flags |= write_cross_check(row["id"], opened[0].work(), counted, writer)
    return flags


def _listen(model: Recognizer, recording: Recording, settings: Settings, opened: list[CountsWork]) -> None:
    """A whole recording through a stream of its own, which is put into ``opened``."""
    stream = model.stream()
    _play(stream, recording.samples, settings, recording.rate_hz, clock.virtual_pass)
    opened.append(cast("CountsWork", stream))
