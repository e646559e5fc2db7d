"""Breaks saving: a tensor that matters is not part of its state."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, builder

from earmark.bench.api import ModelSpec


class LosesState(TinyRecognizer):
    def __init__(self, letters: Sequence[str]) -> None:
        super().__init__(letters)
        self.offset = 3 * torch.randn(len(letters) + 1)

    def step(self, frame: Tensor, hidden: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        scores, hidden = super().step(frame, hidden, condition)
        return scores + self.offset, hidden


build = builder(LosesState)
SPEC = ModelSpec("loses_state", "recognition", "loses_state:build", ("tiny",), "Apache-2.0", "tests")
