"""What is written of a stream: finals once, partials where they changed, and no claim beyond the audio."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from fakes.recognizer import HIDDEN, RATE_HZ, TinyRecognizer, TinyStream

from earmark.bench.api import Condition, Token, Update
from earmark.bench.clock import ChunkEvent
from earmark.bench.corpora.schema import reference_text
from earmark.bench.observe import recognition
from earmark.bench.observe.recognition import check_claims, token_rows
from earmark.bench.observe.settings import Misbehaved, Recording, Settings
from earmark.bench.score.timed import transcripts


def words(*texts: str) -> tuple[Token, ...]:
    return tuple(Token(f" {text}") for text in texts)


def events(*updates: Update) -> list[ChunkEvent]:
    """One chunk of 0.1 s for each update; the last one is ``finish``."""
    last = len(updates) - 1
    return [
        ChunkEvent(k, 0 if k == last else 1600, 0.1 * (min(k, last - 1) + 1), 0.1 * (k + 1), 0.01, update)
        for k, update in enumerate(updates)
    ]


def brief(rows: list[dict[str, Any]]) -> list[tuple[int, int, str, bool]]:
    return [(row["chunk"], row["index"], row["text"].strip(), row["final"]) for row in rows]


STORY = events(
    Update(partial=words("a", "b")),
    Update(),
    Update(partial=words("a", "x", "c")),
    Update(final=words("a"), partial=words("x")),
    Update(partial=()),
    Update(final=words("y")),
)


def test_partials_are_written_where_they_changed() -> None:
    assert brief(token_rows(STORY)) == [
        (0, 0, "a", False),
        (0, 1, "b", False),
        (2, 1, "x", False),
        (2, 2, "c", False),
        (3, 0, "a", True),
        (3, 2, "", False),
        (4, 1, "", False),
        (5, 1, "y", True),
    ]


def test_every_screen_can_be_rebuilt() -> None:
    assert transcripts(token_rows(STORY), len(STORY)) == [
        ["a", "b"], ["a", "b"], ["a", "x", "c"], ["a", "x"], ["a"], ["a", "y"],
    ]  # fmt: skip


def test_what_finish_does_not_confirm_is_void() -> None:
    story = events(Update(partial=words("a")), Update(final=words("b")))
    assert transcripts(token_rows(story), 2) == [["a"], ["b"]]
    story = events(Update(partial=words("a", "b")), Update(final=words("a")))
    assert transcripts(token_rows(story), 2) == [["a", "b"], ["a"]]


def test_a_claim_beyond_the_audio_is_refused() -> None:
    honest = events(Update(final=(Token(" a", audio_s=0.1),)), Update())
    check_claims(token_rows(honest), honest, "u")
    early = events(Update(final=(Token(" a", audio_s=0.2),)), Update())
    with pytest.raises(Misbehaved, match=r"claims 0\.200 s of audio, 0\.100 s had been fed"):
        check_claims(token_rows(early), early, "u")


class Opening(TinyRecognizer):
    """Its streams compute something before they hear anything, and say so."""

    def stream(self, condition: Condition | None = None) -> TinyStream:
        opened = super().stream(condition)
        with torch.inference_mode():
            opened.hidden = opened.hidden @ torch.zeros(HIDDEN, HIDDEN)
        heard = opened.work
        opened.work = lambda: {**heard(), "opening": HIDDEN * HIDDEN}  # type: ignore[method-assign]
        return opened


def test_what_opens_a_stream_is_part_of_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a short recording it is more than what two counts may differ by."""
    sound = Recording("u", np.zeros(RATE_HZ // 10, dtype=np.float32), {}, RATE_HZ)
    monkeypatch.setattr(recognition, "hear", lambda *_: sound)
    settings = Settings("c", "measure", "clean", 0, "cpu", chunk_ms=20, pacing="virtual", passes=1)
    written = MagicMock()
    assert recognition._cross_check_work(Opening().eval(), [{"id": "u"}], settings, written) == set()
    assert [call.kwargs["name"] for call in written.add.call_args_list] == ["macs_counted"]


def test_segments_that_all_have_a_text_are_the_reference() -> None:
    """The row's own text may hold marks between them."""
    turns = [{"start": 2.0, "text": "second"}, {"start": 0.5, "text": "first"}]
    assert reference_text({"text": "", "segments": turns}) == "first second"
    assert reference_text({"text": "first <sc> second", "segments": turns}) == "first second"
    timed_only = [{"start": 2.0, "text": ""}, {"start": 0.5, "text": "first"}]
    assert reference_text({"text": "whole", "segments": timed_only}) == "whole"
    assert reference_text({"text": "", "segments": timed_only}) == "first"
