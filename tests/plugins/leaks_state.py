"""Breaks the independence of streams: the state is the model's, and opening a stream resets it."""

import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import HIDDEN, TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec


class LeaksState(TinyRecognizer):
    shared: Tensor

    def stream(self, condition: Condition | None = None) -> TinyStream:
        self.shared = torch.zeros(1, HIDDEN)
        return TinyStream(self, condition)

    def step(self, frame: Tensor, hidden: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        scores, self.shared = super().step(frame, self.shared, condition)
        return scores, self.shared


build = builder(LeaksState)
SPEC = ModelSpec("leaks_state", "recognition", "leaks_state:build", ("tiny",), "Apache-2.0", "tests")
