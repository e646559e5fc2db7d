"""What the offline, batched form of a recognizer says of the same recordings: the other half of its streaming claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from earmark.bench.api import Recognizer, Token, Transcribes
from earmark.bench.observe.settings import Settings, hear
from earmark.bench.tables import Writer

BATCH = 16


def write_offline(
    model: Recognizer,
    rows: Sequence[Mapping[str, Any]],
    settings: Settings,
    writer: Writer,
    transcript: Callable[[Sequence[Token]], str],
) -> None:
    """Transcribe every row offline, ``BATCH`` at a time, and write what was said; nothing where a model can't."""
    if not isinstance(model, Transcribes):
        return
    ordered = sorted(rows, key=lambda row: float(row["duration_s"]))
    for first in range(0, len(ordered), BATCH):
        batch = [hear(row, settings, model.info.sample_rate_hz) for row in ordered[first : first + BATCH]]
        said = model.transcribe([recording.samples for recording in batch])
        for recording, tokens in zip(batch, said, strict=True):
            writer.add("offline", utterance_id=recording.utterance_id, hypothesis_raw=transcript(tokens))
