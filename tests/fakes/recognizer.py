"""A recognizer small enough to read: 100 ms frames, one GRU cell, a letter whenever the best class changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from earmark.bench.api import (
    Build,
    Condition,
    Example,
    InputError,
    Json,
    Losses,
    ModelInfo,
    Progress,
    Samples,
    Token,
    Update,
)

RATE_HZ = 16_000
FRAME = 1600
N_FEATURES, HIDDEN = 8, 12
LETTERS = (" a", " b", "c", "d", "e")
Batch = tuple[Tensor, Tensor]


class TinyRecognizer(nn.Module):
    """Recognizer, Transcribes, Trainable and Conditionable; its streams count their work and offer probes."""

    batching: Literal["bucketed", "by_speaker"] = "bucketed"

    def __init__(self, letters: Sequence[str] = LETTERS, condition_size: int = 0) -> None:
        super().__init__()
        self.letters, self.condition_size = tuple(letters), condition_size
        self.front = nn.Linear(FRAME, N_FEATURES)
        self.cell = nn.GRUCell(N_FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, len(self.letters) + 1)  # class 0 says nothing
        self.bias = nn.Linear(condition_size, HIDDEN, bias=False) if condition_size else None
        if self.bias is not None:
            nn.init.zeros_(self.bias.weight)
        with torch.no_grad():
            self.front.weight *= 40.0  # untrained, yet it should say different things about different sounds
            self.out.weight *= 4.0

    @property
    def info(self) -> ModelInfo:
        n_parameters = sum(p.numel() for p in self.parameters())
        return ModelInfo(RATE_HZ, chunk_s=FRAME / RATE_HZ, n_parameters=n_parameters)

    def stream(self, condition: Condition | None = None) -> TinyStream:
        return TinyStream(self, condition)

    def transcribe(self, batch: Sequence[Samples]) -> list[tuple[Token, ...]]:
        found = []
        for samples in batch:
            stream = self.stream()
            found.append((*stream.accept(samples).final, *stream.finish().final))
        return found

    def step(self, frame: Tensor, hidden: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, FRAME) samples and (B, HIDDEN) state -> (B, C) scores and the next state."""
        hidden = self.cell(torch.tanh(self.front(frame)), hidden)
        shift = self.bias(condition) if self.bias is not None and condition is not None else 0.0
        return self.out(hidden + shift), hidden

    def with_condition(self, size: int) -> TinyRecognizer:
        copy = TinyRecognizer(self.letters, size)
        copy.load_state_dict(self.state_dict(), strict=False)
        return copy.to(self.out.weight.device).eval()

    def parts(self) -> Mapping[str, Sequence[str]]:
        parts: dict[str, list[str]] = {}
        for name, _ in self.named_parameters():
            parts.setdefault(name.partition(".")[0], []).append(name)
        return parts

    def config(self) -> Json:
        return {"letters": list(self.letters), "condition_size": self.condition_size}

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        frames = np.stack([np.resize(example.samples, FRAME) for example in examples])
        labels = [len(example.turns[0].text) % len(self.letters) + 1 for example in examples]
        return torch.from_numpy(frames), torch.tensor(labels)

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        scores, _ = self.step(batch[0], torch.zeros(len(batch[0]), HIDDEN), None)
        items = cross_entropy(scores, batch[1], reduction="none")
        return Losses({"letters": items.mean()}, items)


class TinyStream:
    def __init__(self, model: TinyRecognizer, condition: Condition | None) -> None:
        device = model.out.weight.device
        self.model, self.rest = model, np.zeros(0, dtype=np.float32)
        self.hidden = torch.zeros(1, HIDDEN, device=device)
        self.condition = torch.tensor([condition], device=device) if condition else None
        self.last, self.n_frames = 0, 0

    def accept(self, samples: Samples) -> Update:
        if not np.isfinite(samples).all():
            raise InputError("a sample is not finite", where="tiny")
        audio = np.concatenate([self.rest, samples])
        n_frames = len(audio) // FRAME
        self.rest = audio[n_frames * FRAME :].copy()
        final = [token for frame in audio[: n_frames * FRAME].reshape(n_frames, FRAME) for token in self.hear(frame)]
        return Update(tuple(final))

    def finish(self) -> Update:
        return Update((), ())

    def hear(self, frame: Samples) -> list[Token]:
        with torch.inference_mode():
            row = torch.from_numpy(frame.copy())[None].to(self.hidden.device)
            scores, self.hidden = self.model.step(row, self.hidden, self.condition)
        self.n_frames += 1
        best, self.last = int(scores.argmax()), self.last
        said = [] if best in (0, self.last) else [self.token(best)]
        self.last = best
        return said

    def token(self, letter: int) -> Token:
        return Token(self.model.letters[letter - 1], audio_s=self.n_frames * FRAME / RATE_HZ)

    def work(self) -> Mapping[str, int]:
        per_frame = {
            "front_end": FRAME * N_FEATURES,
            "encoder": 3 * HIDDEN * (N_FEATURES + HIDDEN),
            "output": HIDDEN * (len(self.model.letters) + 1),
        }
        return {part: self.n_frames * macs for part, macs in per_frame.items()}

    def probes(self) -> Mapping[str, float]:
        return {"frames": float(self.n_frames), "state_norm": math.sqrt(float((self.hidden**2).sum()))}


def builder(kind: type[TinyRecognizer] = TinyRecognizer) -> Build:
    """The ``build`` of a plugin whose model is ``kind``."""

    def build(
        preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
    ) -> TinyRecognizer:
        if preset != "tiny" or options:
            raise InputError(f"no preset {preset!r} or no options {dict(options)}", where="tiny", fix="use preset tiny")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return kind(vocabulary or LETTERS).to(device).eval()

    return build


build = builder()
