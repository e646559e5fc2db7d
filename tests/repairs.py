"""What repairs are tried on: a trainer over utterances that a test makes up, and models with closed forms."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from earmark.bench.api import Example, Json, Losses, ModelInfo, Progress, Table, Turn
from earmark.bench.contract.standins import StandInTrainer
from earmark.bench.training.data import TrainingData

Batch = tuple[Tensor, Tensor]


class ToyTrainer(StandInTrainer):
    """Plain gradient steps on given utterances: samples, texts and cohorts; keeps what the last fit was asked for."""

    def __init__(
        self, samples: Sequence[Sequence[float]], texts: Sequence[str], cohorts: Sequence[str], **settings: int
    ) -> None:
        super().__init__(**settings)
        self.samples, self.texts = samples, texts
        self._rows = pa.table({"utterance_id": [f"u{i}" for i in range(len(texts))], "cohort": list(cohorts)})
        self.asked: dict[str, Any] = {}

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        for row in range(len(self.texts)) if where is None else where:
            samples = np.array(self.samples[row], dtype=np.float32)
            yield Example(f"u{row}", samples, (Turn(self.texts[row], 0.0, 1.0, "s"),))

    def fit(self, model: Any, **asked: Any) -> Any:
        self.asked = asked
        return super().fit(model, **asked)


class Toy(nn.Module):
    """What all toys have in common: batches of (B, n) samples and (B,) numbers read from the texts."""

    batching: Literal["bucketed", "by_speaker"] = "bucketed"

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(16_000)

    def parts(self) -> Mapping[str, Sequence[str]]:
        return {name: [name] for name, _ in self.named_parameters()}

    def config(self) -> Json:
        return {}

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        samples = torch.from_numpy(np.stack([example.samples for example in examples]))
        return samples, torch.tensor([float(example.turns[0].text) for example in examples])


class Quadratic(Toy):
    """Loss: mean over utterances of a (u - x_0)^2 / 2 + b (v - x_1)^2 / 2; parts ``u`` and ``v``."""

    def __init__(self, curvatures: tuple[float, float] = (1.0, 2.0), at: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.curvatures = curvatures
        self.u, self.v = nn.Parameter(torch.tensor(at[0])), nn.Parameter(torch.tensor(at[1]))

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        a, b = self.curvatures
        items = a / 2 * (self.u - batch[0][:, 0]) ** 2 + b / 2 * (self.v - batch[0][:, 1]) ** 2
        return Losses({"squares": items.mean()}, items.detach())

    @property
    def at(self) -> tuple[float, float]:
        return float(self.u.detach()), float(self.v.detach())


class Logistic(Toy):
    """P(1 | x) = sigmoid(w x), w = 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.0))

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        return Losses({"entropy": binary_cross_entropy_with_logits(self.w * batch[0][:, 0], batch[1])})


def loop_data(samples: Sequence[np.ndarray], texts: Sequence[str], cohorts: Sequence[str]) -> TrainingData:
    """The same kind of utterances for the real loop."""
    ids = [f"u{i}" for i in range(len(texts))]
    table: Table = pa.table({"utterance_id": ids, "cohort": list(cohorts)})
    rows = [
        {"id": name, "speaker": "s", "text": text, "words": [], "segments": None}
        for name, text in zip(ids, texts, strict=True)
    ]
    seconds = [len(row) / 16_000 for row in samples]
    kept = {"samples": [row.tolist() for row in samples], "begins_s": [0.0] * len(ids), "duration_s": seconds}
    return TrainingData(table, rows, Dataset.from_dict(kept).with_format("numpy"))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in copy.deepcopy(model).state_dict().items()}


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    """Names of the weights that differ."""
    old, new = weights_of(before), weights_of(after)
    return {name for name in old if not torch.equal(old[name], new[name])}
