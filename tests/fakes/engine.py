"""A foreign engine: no torch, no training, no work; it hears how loud each tenth of a second is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from earmark.bench.api import Condition, InputError, Json, ModelInfo, Samples, Token, Update

FRAME = 1600


class LoudnessEngine:
    info = ModelInfo(16_000, trained_on=("nothing",))

    def stream(self, condition: Condition | None = None) -> LoudnessStream:
        return LoudnessStream()


class LoudnessStream:
    """Partial while a sound lasts, final when it ends."""

    def __init__(self) -> None:
        self.rest = np.zeros(0, dtype=np.float32)
        self.word: list[str] = []
        self.n_frames = 0

    def accept(self, samples: Samples) -> Update:
        if not np.isfinite(samples).all():
            raise InputError("a sample is not finite", where="engine")
        audio = np.concatenate([self.rest, samples])
        whole = len(audio) // FRAME * FRAME
        self.rest = audio[whole:].copy()
        final = [token for frame in audio[:whole].reshape(-1, FRAME) for token in self.hear(frame)]
        return Update(tuple(final), (Token(" " + "".join(self.word)),) if self.word else ())

    def finish(self) -> Update:
        return Update(self.end(), ())

    def hear(self, frame: Samples) -> tuple[Token, ...]:
        self.n_frames += 1
        level = int(np.sqrt(float(np.mean(frame**2))) * 40)
        if level == 0:
            return self.end()
        self.word.append("uaoei"[min(level, 5) - 1])
        return ()

    def end(self) -> tuple[Token, ...]:
        said = (Token(" " + "".join(self.word), audio_s=self.n_frames * FRAME / 16_000),) if self.word else ()
        self.word = []
        return said


def build(
    preset: str,
    *,
    options: Mapping[str, Json],
    vocabulary: Sequence[str] | None,
    seed: int,
    device: str,
) -> LoudnessEngine:
    if options:
        raise InputError(f"unknown options {sorted(options)}", where="engine", fix="it takes none")
    return LoudnessEngine()
