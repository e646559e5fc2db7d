"""Breaks bounded memory: every chunk is kept."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Update


class Hoarding(TinyStream):
    def accept(self, samples: Samples) -> Update:
        self.heard = [*getattr(self, "heard", []), samples.copy()]
        return super().accept(samples)


class KeepsAudio(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Hoarding:
        return Hoarding(self, condition)


build = builder(KeepsAudio)
SPEC = ModelSpec("keeps_audio", "recognition", "keeps_audio:build", ("tiny",), "Apache-2.0", "tests")
