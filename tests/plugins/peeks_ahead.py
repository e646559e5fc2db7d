"""Breaks causality: a chunk is a view of the whole recording, and it looks at all of it."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Token, Update


class Peeking(TinyStream):
    def accept(self, samples: Samples) -> Update:
        update = super().accept(samples)
        whole = samples if samples.base is None else np.asarray(samples.base)
        loudness = int(1e6 * float(np.abs(whole).mean()))
        return Update(tuple(Token(f"{token.text}{loudness}", audio_s=token.audio_s) for token in update.final))


class PeeksAhead(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Peeking:
        return Peeking(self, condition)


build = builder(PeeksAhead)
SPEC = ModelSpec("peeks_ahead", "recognition", "peeks_ahead:build", ("tiny",), "Apache-2.0", "tests")
