"""Breaks flat work: every frame attends to all frames before it."""

import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import HIDDEN, TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Token


class Growing(TinyStream):
    def __init__(self, model: TinyRecognizer, condition: Condition | None) -> None:
        super().__init__(model, condition)
        self.history: list[Tensor] = []
        self.attended = 0

    def hear(self, frame: Samples) -> list[Token]:
        said = super().hear(frame)
        with torch.inference_mode():
            self.history.append(self.hidden)
            _ = torch.cat(self.history) @ torch.eye(HIDDEN)
        self.attended += len(self.history) * HIDDEN * HIDDEN
        return said

    def work(self) -> dict[str, int]:
        return {**super().work(), "attention": self.attended}


class Grows(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Growing:
        return Growing(self, condition)


build = builder(Grows)
SPEC = ModelSpec("grows", "recognition", "grows:build", ("tiny",), "Apache-2.0", "tests")
