"""Growth that is declared is reported, other growth is refused; an error on the way is told once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fakes.recognizer import TinyRecognizer, TinyStream

from earmark.bench.api import Condition, ModelSpec, Samples, Token, Update
from earmark.bench.contract import endurance
from earmark.bench.contract.subject import RecognizerSubject
from earmark.bench.contract.verdicts import Broken, Undecided
from earmark.bench.registry import Plugin

SPEC = ModelSpec("tiny", "recognition", "fakes.recognizer:build", ("tiny",), "Apache-2.0", "tests")
LONG = (endurance.survives_an_hour, endurance.keeps_no_raw_audio, endurance.work_per_chunk_does_not_grow)


class Subject(RecognizerSubject):
    """Wraps streams of the tiny recognizer in ``kind``."""

    def __init__(self, kind: type[TinyStream]) -> None:
        super().__init__(Plugin(SPEC, "model", "here", "0", "fakes", ""), "tiny", budget_s=0.0)
        self.kind = kind

    def build(self, seed: int) -> Any:
        kind = self.kind

        class Model(TinyRecognizer):
            def stream(self, condition: Condition | None = None) -> TinyStream:
                return kind(self, condition)

        torch.manual_seed(seed)
        return Model().eval()


class CachesFeatures(TinyStream):
    """Holds 32 kB of numbers per second that are no audio."""

    def hear(self, frame: Samples) -> list[Token]:
        self.cache = [*getattr(self, "cache", []), np.abs(np.fft.rfft(frame))[:400]]
        self.n_extra = getattr(self, "n_extra", 0) + 10_000 * len(self.cache)
        return super().hear(frame)

    def work(self) -> dict[str, int]:
        return {**super().work(), "attention": getattr(self, "n_extra", 0)}


class KeepsGraph(TinyStream):
    def hear(self, frame: Samples) -> list[Token]:
        row = torch.from_numpy(frame.copy())[None]
        _, self.hidden = self.model.step(row, self.hidden, None)
        return []


class Breaks(TinyStream):
    def accept(self, samples: Samples) -> Update:
        if self.n_frames > 300:
            raise MemoryError("no room")
        return super().accept(samples)


def test_undeclared_growth_is_refused_and_declared_growth_is_reported() -> None:
    subject = Subject(CachesFeatures)
    with pytest.raises(Broken, match=r"grows by 3\d\.\d kB per second"):
        endurance.keeps_no_raw_audio(subject)
    with pytest.raises(Broken, match="work_grows"):
        endurance.work_per_chunk_does_not_grow(subject)
    subject.model.work_grows = True  # type: ignore[attr-defined]
    assert "kB per second" in endurance.keeps_no_raw_audio(subject)
    assert "grows as declared" in endurance.work_per_chunk_does_not_grow(subject)


def test_an_autograd_graph_is_named() -> None:
    with pytest.raises(Broken, match="autograd"):
        endurance.keeps_no_raw_audio(Subject(KeepsGraph))


def test_an_early_end_fails_one_promise_and_leaves_the_others_undecided() -> None:
    subject = Subject(Breaks)
    with pytest.raises(Broken, match="after 31 s: MemoryError: no room"):
        endurance.survives_an_hour(subject)
    for promise in LONG[1:]:
        with pytest.raises(Undecided, match="ended early"):
            promise(subject)


def test_the_remark_says_how_much_was_fed() -> None:
    assert endurance.survives_an_hour(Subject(TinyStream)).startswith("60 s of 3600 s; --full for all")


@pytest.mark.slow
def test_full_means_an_hour() -> None:
    subject = Subject(TinyStream)
    subject.full = True
    assert endurance.survives_an_hour(subject).startswith("3600 s of 3600 s, ")
    assert endurance.work_per_chunk_does_not_grow(subject).startswith("3600 s of 3600 s: 1.0")
