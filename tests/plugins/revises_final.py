"""Breaks finality: a final token is rewritten when the next chunk comes."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Update


class Revising(TinyStream):
    given: Update = Update()

    def accept(self, samples: Samples) -> Update:
        for token in self.given.final:
            object.__setattr__(token, "text", token.text.upper())
        self.given = super().accept(samples)
        return self.given


class RevisesFinal(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Revising:
        return Revising(self, condition)


build = builder(RevisesFinal)
SPEC = ModelSpec("revises_final", "recognition", "revises_final:build", ("tiny",), "Apache-2.0", "tests")
