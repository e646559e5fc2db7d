"""Breaks honest times: tokens claim audio that was not fed yet."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Token


class Boasting(TinyStream):
    def token(self, letter: int) -> Token:
        return Token(super().token(letter).text, audio_s=self.n_frames * 0.1 + 1)


class ClaimsTheFuture(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Boasting:
        return Boasting(self, condition)


build = builder(ClaimsTheFuture)
SPEC = ModelSpec("claims_the_future", "recognition", "claims_the_future:build", ("tiny",), "Apache-2.0", "tests")
