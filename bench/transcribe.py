"""Streams one recording through a recognizer and says what it hears, as it hears it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from earmark.bench import clock, lanes, registry
from earmark.bench.api import InputError, ModelSpec, Recognizer, Samples
from earmark.bench.corpora import audio


@dataclass(frozen=True, slots=True)
class Heard:
    """The transcript after some audio: final text, then what may still change."""

    audio_s: float
    final: str
    partial: str
    done: bool = False


Shown = TypeVar("Shown", Heard, lanes.Talk)


def listen(
    plugin: registry.Plugin, source: str, *, preset: str | None, device: str, chunk_ms: int
) -> Iterator[Heard] | Iterator[lanes.Talk]:
    """Yields the transcript each time it changes, and once at the end; ``source`` is a file, or ``-`` for stdin.

    What a conversation model says comes in lanes.
    """
    spec = plugin.spec
    if not isinstance(spec, ModelSpec) or spec.task == "verification":
        raise InputError(f"{spec.name} does not recognize words", fix="choose a recognizer: earmark list")
    samples = _samples(source)
    model = _model(spec, preset, device)
    rate_hz = model.info.sample_rate_hz
    heard = audio.resample(samples.astype(np.float64), audio.SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
    hear = lanes.listen if spec.task == "conversation" else _stream
    return hear(model, heard, chunk=round(rate_hz * chunk_ms / 1000), rate_hz=rate_hz)


def _model(spec: ModelSpec, preset: str | None, device: str) -> Recognizer:
    """The newest checkpoint of the model in the cache; one that comes with its weights as it is."""
    from earmark.bench.executors.teaching import TRAINABLE, load_trained
    from earmark.bench.learning import newest_checkpoint

    build = registry.resolve(spec)
    folder = newest_checkpoint(spec.name, preset)
    if folder is not None:
        trained: Recognizer = load_trained(build, folder, device=device)[0]
        return trained
    model: Recognizer = build(preset or spec.presets[0], options={}, vocabulary=None, seed=0, device=device)
    if not model.info.trained_on and all(hasattr(model, name) for name in TRAINABLE):
        what = f"{spec.name} has no weights yet" if preset is None else f"{spec.name} ({preset}) has no weights yet"
        raise InputError(what, fix="run a suite that trains it, see docs/suites.md")
    return model


def _stream(model: Recognizer, samples: Samples, *, chunk: int, rate_hz: int) -> Iterator[Heard]:
    stream = model.stream()
    final, partial, shown, fed = "", "", ("", ""), 0
    for part in clock.cut(samples, chunk):
        update = stream.accept(part)
        fed += len(part)
        final += "".join(token.text for token in update.final)
        if update.partial is not None:
            partial = "".join(token.text for token in update.partial)
        if (final, partial) != shown:
            shown = (final, partial)
            yield Heard(fed / rate_hz, final.strip(), partial.strip())
    final += "".join(token.text for token in stream.finish().final)
    yield Heard(fed / rate_hz, final.strip(), "", done=True)


def paced(heard: Iterator[Shown]) -> Iterator[Shown]:
    """The same, each update held back until its audio would have been spoken."""
    zero = time.perf_counter()
    for update in heard:
        time.sleep(max(0.0, zero + update.audio_s - time.perf_counter()))
        yield update


def show(heard: Iterator[Heard] | Iterator[lanes.Talk], *, as_json: bool, real_time: bool) -> None:
    """Show what is heard as it comes, or ``real_time`` as if it were being spoken now."""
    first = next(heard)
    if isinstance(first, lanes.Talk):
        talks = cast("Iterator[lanes.Talk]", chain([first], heard))
        lanes.present(paced(talks) if real_time else talks, as_json=as_json)
    else:
        texts = cast("Iterator[Heard]", chain([first], heard))
        present(paced(texts) if real_time else texts, as_json=as_json)


def present(heard: Iterator[Heard], *, as_json: bool) -> None:
    """Show the transcript as it grows: one line that is rewritten on a terminal, a line for each change elsewhere."""
    live = sys.stdout.isatty() and not as_json
    for update in heard:
        if as_json:
            print(json.dumps(asdict(update), ensure_ascii=False), flush=True)
        elif live:
            text = f"{update.final} \033[2m{update.partial}\033[0m".strip()
            print(f"\r\033[K{text}", end="\n" if update.done else "", flush=True)
        else:
            tentative = f" [{update.partial}]" if update.partial else ""
            label = "end" if update.done else f"{update.audio_s:.2f} s"
            print(f"{label:>8}  {update.final}{tentative}", flush=True)


def _samples(source: str) -> Samples:
    reference: dict[str, Any] = {"path": source, "bytes": None}
    if source == "-":
        reference = {"path": None, "bytes": sys.stdin.buffer.read()}
    elif not Path(source).is_file():
        raise InputError("no such file", where=source, fix="give the path of a WAV or FLAC file, or - for stdin")
    return audio.decode({"id": "standard input" if source == "-" else source, "audio": reference})
