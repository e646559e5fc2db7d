"""Keeps silent: most promises about its output cannot be decided."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Token


class Silent(TinyStream):
    def hear(self, frame: Samples) -> list[Token]:
        super().hear(frame)
        return []


class SaysNothing(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Silent:
        return Silent(self, condition)


build = builder(SaysNothing)
SPEC = ModelSpec("says_nothing", "recognition", "says_nothing:build", ("tiny",), "Apache-2.0", "tests")
