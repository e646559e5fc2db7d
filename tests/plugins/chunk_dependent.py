"""Breaks freedom of chunking: it forgets its state at the end of every chunk."""

import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Update


class Forgetful(TinyStream):
    def accept(self, samples: Samples) -> Update:
        self.hidden = torch.zeros_like(self.hidden)
        return super().accept(samples)


class ChunkDependent(TinyRecognizer):
    transcribe = None  # type: ignore[assignment]

    def stream(self, condition: Condition | None = None) -> Forgetful:
        return Forgetful(self, condition)


build = builder(ChunkDependent)
SPEC = ModelSpec("chunk_dependent", "recognition", "chunk_dependent:build", ("tiny",), "Apache-2.0", "tests")
