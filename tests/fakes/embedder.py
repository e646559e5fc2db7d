"""A speaker embedder and metric learner: mean and spread of what a linear layer makes of 25 ms frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from earmark.bench.api import Array, Example, InputError, Json, Lengths, Losses, ModelInfo, Progress, Samples

FRAME, DIM = 400, 6
Batch = tuple[list[Tensor], Tensor]


class TinyEmbedder(nn.Module):
    """SpeakerEmbedder, MetricLearner, StreamsEmbeddings and CountsWork."""

    batching: Literal["bucketed", "by_speaker"] = "by_speaker"

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Linear(FRAME, DIM)
        self.macs = 0

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(16_000, n_parameters=sum(p.numel() for p in self.parameters()))

    def forward(self, samples: Tensor) -> Tensor:
        """(t,) samples -> (2 DIM,)."""
        frames = nn.functional.pad(samples, (0, -len(samples) % FRAME)).view(-1, FRAME)
        self.macs += frames.shape[0] * FRAME * DIM
        made = torch.tanh(self.frame(frames))
        return torch.cat([made.mean(dim=0), made.std(dim=0, correction=0)])

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        rows = []
        for row, n in zip(samples, lengths, strict=True):
            if n < 1 or not np.isfinite(row[:n]).all():
                raise InputError(f"{n} samples, or one that is not finite", where="tiny embedder")
            with torch.inference_mode():
                rows.append(self(torch.from_numpy(row[:n].copy()).to(self.frame.weight.device)).cpu().numpy())
        return np.stack(rows)

    def embedding_stream(self) -> TinyStream:
        return TinyStream(self)

    def work(self) -> Mapping[str, int]:
        return {"encoder": self.macs}

    def parts(self) -> Mapping[str, Sequence[str]]:
        return {"frame": [name for name, _ in self.named_parameters()]}

    def config(self) -> Json:
        return {}

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        speakers = {name: k for k, name in enumerate(sorted({str(e.turns[0].speaker) for e in examples}))}
        numbers = [speakers[str(e.turns[0].speaker)] if e.pseudo_label is None else e.pseudo_label for e in examples]
        return [torch.from_numpy(e.samples) for e in examples], torch.tensor(numbers)

    def embeddings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return nn.functional.normalize(torch.stack([self(samples) for samples in batch[0]]), dim=1), batch[1]

    def pair_loss(self, embeddings: Tensor, speakers: Tensor, pair_weights: Tensor | None) -> Losses:
        same = (speakers[:, None] == speakers[None, :]).float()
        squares = (embeddings @ embeddings.T - same) ** 2
        weights = torch.ones_like(squares) if pair_weights is None else pair_weights
        return Losses({"pairs": (weights * squares).sum() / weights.sum()})

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        return self.pair_loss(*self.embeddings(batch), None)


class TinyStream:
    """Frame by frame; a frame that is not whole is filled with zeros when somebody asks."""

    def __init__(self, model: TinyEmbedder) -> None:
        self.model, self.rest = model, torch.zeros(0)
        self.made: list[Tensor] = []
        self.n_frames = 0

    def accept(self, samples: Samples) -> None:
        self.rest = torch.cat([self.rest, torch.from_numpy(samples.copy())])
        while len(self.rest) >= FRAME:
            self.made.append(self._frame(self.rest[:FRAME]))
            self.rest = self.rest[FRAME:].clone()

    def embedding(self) -> Array | None:
        last = [self._frame(nn.functional.pad(self.rest, (0, FRAME - len(self.rest))))] if len(self.rest) else []
        if not self.made and not last:
            return None
        made = torch.stack([*self.made, *last])
        found: Array = torch.cat([made.mean(dim=0), made.std(dim=0, correction=0)]).numpy()
        return found

    def _frame(self, frame: Tensor) -> Tensor:
        self.n_frames += 1
        with torch.inference_mode():
            return torch.tanh(self.model.frame(frame.to(self.model.frame.weight.device)[None]))[0].cpu()

    def work(self) -> Mapping[str, int]:
        return {"encoder": self.n_frames * FRAME * DIM}


def build(
    preset: str,
    *,
    options: Mapping[str, Json],
    vocabulary: Sequence[str] | None,
    seed: int,
    device: str,
) -> TinyEmbedder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyEmbedder().to(device).eval()
