"""Breaks honest counting: half of the work is claimed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, TinyStream, builder

from earmark.bench.api import Condition, ModelSpec


class Modest(TinyStream):
    def work(self) -> dict[str, int]:
        return {part: macs // 2 for part, macs in super().work().items()}


class LiesAboutWork(TinyRecognizer):
    def stream(self, condition: Condition | None = None) -> Modest:
        return Modest(self, condition)


build = builder(LiesAboutWork)
SPEC = ModelSpec("lies_about_work", "recognition", "lies_about_work:build", ("tiny",), "Apache-2.0", "tests")
