"""A recognizer whose next version can be made worse on purpose: by a slow-down, or by words that it leaves out.

It is pocketsphinx, so that there are words to lose. Change a constant in a copy of this file, as a commit would.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from earmark.bench.api import Condition, Json, ModelSpec, Recognizer, Samples, Stream, Update
from earmark.models.pocketsphinx.model import build as build_engine

SLOWER = 0.0
"""Share of a chunk's processor time that is spent once more for nothing."""
EVERY_NTH_WORD_IS_LOST = 0
"""0: none."""

SPEC = ModelSpec(
    name="planted", task="recognition", entry="planted:build", presets=("default",), license="BSD-2-Clause",
    source="tests", requires=("pocketsphinx",), pretrained=True,
)  # fmt: skip


class PlantedStream:
    def __init__(self, inner: Stream) -> None:
        self.inner, self.n_words = inner, 0

    def accept(self, samples: Samples) -> Update:
        return self._planted(lambda: self.inner.accept(samples))

    def finish(self) -> Update:
        return self._planted(self.inner.finish)

    def _planted(self, call: Any) -> Update:
        started = time.process_time()
        update: Update = call()
        until = time.process_time() + SLOWER * (time.process_time() - started)
        while time.process_time() < until:
            pass
        return Update(tuple(token for token in update.final if not self._lost()), update.partial)

    def _lost(self) -> bool:
        self.n_words += 1
        return bool(EVERY_NTH_WORD_IS_LOST) and self.n_words % EVERY_NTH_WORD_IS_LOST == 0


class Planted:
    def __init__(self, engine: Recognizer) -> None:
        self.engine, self.info = engine, engine.info

    def stream(self, condition: Condition | None = None) -> PlantedStream:
        return PlantedStream(self.engine.stream(condition))


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> Planted:
    return Planted(build_engine(preset, options=options, vocabulary=vocabulary, seed=seed, device=device))  # type: ignore[arg-type]
