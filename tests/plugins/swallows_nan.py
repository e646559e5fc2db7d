"""Breaks refusal: what is not finite is taken for silence."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec, Samples, Update


class Lenient(TinyStream):
    def accept(self, samples: Samples) -> Update:
        return super().accept(np.nan_to_num(samples, posinf=0.0, neginf=0.0))


class SwallowsNan(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Lenient:
        return Lenient(self, condition)


build = builder(SwallowsNan)
SPEC = ModelSpec("swallows_nan", "recognition", "swallows_nan:build", ("tiny",), "Apache-2.0", "tests")
