"""Breaks batching: recordings of a batch are brought to one loudness first."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, builder

from earmark.bench.api import ModelSpec, Samples, Token


class BadBatch(TinyRecognizer):
    def transcribe(self, batch: Sequence[Samples]) -> list[tuple[Token, ...]]:
        loudest = max(float(np.abs(samples).max()) for samples in batch)
        return super().transcribe([(samples / (3 * loudest)).astype(np.float32) for samples in batch])


build = builder(BadBatch)
SPEC = ModelSpec("bad_batch", "recognition", "bad_batch:build", ("tiny",), "Apache-2.0", "tests")
