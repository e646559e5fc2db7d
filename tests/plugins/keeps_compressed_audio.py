"""Breaks bounded memory: the audio is kept as 8-bit samples, in one growing byte string."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Update


class Compressing(TinyStream):
    heard = b""

    def accept(self, samples: Samples) -> Update:
        self.heard += np.nan_to_num(samples * 127, posinf=0, neginf=0).astype(np.int8).tobytes()
        return super().accept(samples)


class KeepsCompressedAudio(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Compressing:
        return Compressing(self, condition)


build = builder(KeepsCompressedAudio)
NAME = "keeps_compressed_audio"
SPEC = ModelSpec(NAME, "recognition", f"{NAME}:build", ("tiny",), "Apache-2.0", "tests")
