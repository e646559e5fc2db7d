"""Observations of two small conversations, from which every score can be worked out by hand.

``both`` has three turns (A, B, A; 7 words) that overlap; everything is said right, the third turn on the other channel,
and every turn but the last is closed. ``one`` has one turn of two words, of which one is lost. Chunks last 0.5 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.tables import Writer

CHUNK_S = 0.5
SERVICE_S = 0.1
SPOKEN: Mapping[str, Sequence[tuple[str, int, float, float, str]]] = {
    "both": (("A", 0, 0.1, 2.0, "A b, c!"), ("B", 1, 1.0, 3.0, "d e"), ("A", 1, 4.0, 5.0, "f g")),
    "one": (("A", 0, 0.0, 1.0, "h i"),),
}
SAID: Mapping[str, Sequence[tuple[int, int, str]]] = {
    "both": (
        (0, 0, " a"), (2, 1, "<"), (2, 0, " b"), (2, 1, " d"), (3, 0, " c"), (4, 0, ">"), (5, 1, " e"), (5, 1, ">"),
        (8, 1, "<"), (8, 1, " f"), (9, 1, " g"),
    ),
    "one": ((1, 0, " h"),),
}  # fmt: skip
"""Chunk, channel and text of the final tokens; ``<`` and ``>`` are turn tokens."""
_KINDS = {"<": "start_of_turn", ">": "end_of_turn"}


def write_talks(folder: Path, cell: str = "good", said: Mapping[str, Sequence[tuple[int, int, str]]] = SAID) -> Path:
    """The observations of a cell in ``folder``."""
    with Writer(folder, cell) as writer:
        for name, turns in SPOKEN.items():
            text = " ".join(turn[-1] for turn in turns)
            row: dict[str, Any] = {"reference": text, "hypothesis_raw": _text(said[name]), "audio_s": _length_s(name)}
            writer.add("utterances", utterance_id=name, split="measure", outcome="ok", metadata="{}", **row)
            for number, (speaker, channel, start_s, end_s, words) in enumerate(turns):
                where = {"turn": number, "speaker": speaker, "channel": channel}
                writer.add("reference_turns", utterance_id=name, **where, start_s=start_s, end_s=end_s, text=words)
            _write_stream(writer, name, said[name])
    return folder


def _write_stream(writer: Writer, name: str, said: Sequence[tuple[int, int, str]]) -> None:
    n_chunks = round(_length_s(name) / CHUNK_S)
    for chunk in range(n_chunks + 1):
        due_s = min(chunk + 1, n_chunks) * CHUNK_S
        times = {
            "due_s": due_s,
            "start_s": due_s,
            "service_s": SERVICE_S,
            "n_samples": 0 if chunk == n_chunks else 8000,
        }
        writer.add("chunks", utterance_id=name, **{"pass": 0}, chunk=chunk, timed=name == "both", **times)
    for index, (chunk, channel, text) in enumerate(said):
        token = {"kind": _KINDS.get(text, "text"), "text": "" if text in _KINDS else text, "channel": channel}
        emitted_s = (chunk + 1) * CHUNK_S + SERVICE_S
        writer.add(
            "tokens",
            utterance_id=name,
            **{"pass": 0},
            index=index,
            final=True,
            chunk=chunk,
            emitted_s=emitted_s,
            **token,
        )


def _length_s(name: str) -> float:
    return SPOKEN[name][-1][3]


def _text(said: Sequence[tuple[int, int, str]]) -> str:
    return "".join(text for _, _, text in said if text not in _KINDS).strip()
