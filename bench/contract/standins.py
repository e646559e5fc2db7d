"""Stand-ins that fairness plugins are checked with: rows with a planted gap, a tiny model, a trainer of few steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from earmark.bench.api import Example, InputError, Losses, ModelInfo, Progress, Token, Turn, Update

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import Array, Condition, Json, Lengths, M, Objective, Samples, Table, Trainable

WIDTH, HIDDEN = 32, 8
OUTCOMES = ("errors", "words")
Batch = tuple[Tensor, Tensor, Tensor]


def outcome_rows(split: str, *, n_speakers: int = 60, per_speaker: int = 6, seed: int = 0) -> Table:
    """Rows with every column a finder may see. North of the equator (areas N, a voice of its own) has more errors."""
    rng = np.random.default_rng((seed, len(split), sum(split.encode())))
    rows = []
    for number in range(n_speakers):
        hard = bool(rng.random() < 0.4)
        lat, lon = float(rng.uniform(10, 60) * (1 if hard else -1)), float(rng.uniform(-120, 120))
        code = f"{'N' if hard else 'S'}{number % 7}"
        for take in range(per_speaker):
            words = int(rng.integers(5, 30))
            rows.append({
                "utterance_id": f"{split}-{number}-{take}", "speaker": f"{split}-{number}", "split": split,
                "errors": int(rng.binomial(words, 0.4 if hard else 0.1)), "words": words, "lat": lat, "lon": lon,
                "area_code": code, "area_attribute": "rural" if hard else "urban",
                "embedding": [float(x) for x in rng.normal((1.0 if hard else -1.0), 0.3, size=8)],
                "snr_db": float(rng.uniform(0, 30)), "duration_s": words / 2.5,
            })  # fmt: skip
    return pa.Table.from_pylist(rows)


def train_rows() -> Table:
    """Metadata and cohort of train speakers, without outcomes."""
    rows = outcome_rows("train", n_speakers=16, per_speaker=4).drop_columns([*OUTCOMES])
    cohorts = ["north" if lat > 0 else "south" for lat in rows["lat"].to_pylist()]
    return rows.append_column("cohort", pa.array(cohorts))


class StandIn(nn.Module):
    """A model of every kind at once: recognizer, embedder, trainable, metric learner, conditionable."""

    def __init__(self, seed: int = 0, condition_size: int = 0) -> None:
        super().__init__()
        self.batching: Literal["bucketed", "by_speaker"] = "by_speaker"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder, self.head = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, 4)
        self.condition = nn.Linear(condition_size, HIDDEN, bias=False) if condition_size else None
        if self.condition is not None:
            nn.init.zeros_(self.condition.weight)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(16_000, n_parameters=sum(p.numel() for p in self.parameters()))

    def parts(self) -> Mapping[str, Sequence[str]]:
        """Parameter names by the module that holds them."""
        names = [name for name, _ in self.named_parameters()]
        return {part: [n for n in names if n.startswith(part)] for part in sorted({n.split(".")[0] for n in names})}

    def config(self) -> Json:
        return {"condition_size": self.condition.in_features if self.condition is not None else 0}

    def with_condition(self, size: int) -> StandIn:
        """A copy that takes a condition of this size; its outputs are unchanged."""
        other = StandIn(condition_size=size)
        other.load_state_dict(self.state_dict(), strict=False)
        return other.eval()

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:  # noqa: ARG002 (nothing random)
        """(B, WIDTH) samples, (B,) labels, (B, condition size) conditions."""
        size = self.condition.in_features if self.condition is not None else 0
        given = [example.condition or (0.0,) * size for example in examples]
        frames = torch.from_numpy(np.stack([np.resize(example.samples, WIDTH) for example in examples]))
        return frames, torch.tensor([_label(e) for e in examples]), torch.tensor(given).reshape(len(examples), -1)

    def loss(self, batch: Batch, progress: Progress) -> Losses:  # noqa: ARG002 (no schedule)
        """Cross-entropy of the label."""
        items = cross_entropy(self.head(self._encode(batch)), batch[1], reduction="none")
        return Losses({"label": items.mean()}, items)

    def embeddings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, HIDDEN) of length one, and (B,) labels."""
        return normalize(self._encode(batch), dim=1), batch[1]

    def pair_loss(self, embeddings: Tensor, speakers: Tensor, pair_weights: Tensor | None) -> Losses:
        """Squared distance of cosines from 1 for equal and 0 for different speakers."""
        target = (speakers[:, None] == speakers[None, :]).float()
        squares = (embeddings @ embeddings.T - target) ** 2
        weights = torch.ones_like(squares) if pair_weights is None else pair_weights
        return Losses({"pairs": (weights * squares).sum() / weights.sum()})

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        """(n, t), (n,) -> (n, HIDDEN)."""
        rows = np.stack([np.resize(row[:n], WIDTH) for row, n in zip(samples, lengths, strict=True)])
        with torch.inference_mode():
            return np.asarray(self.encoder(torch.from_numpy(rows)).numpy())

    def stream(self, condition: Condition | None = None) -> StandInStream:
        return StandInStream(self, condition)

    def _encode(self, batch: Batch) -> Tensor:
        shift = self.condition(batch[2]) if self.condition is not None else 0.0
        return torch.tanh(self.encoder(batch[0]) + shift)


def _label(example: Example) -> int:
    return example.pseudo_label if example.pseudo_label is not None else len(example.turns[0].text) % 4


class StandInStream:
    """Says one digit at the end, from the first samples."""

    def __init__(self, model: StandIn, condition: Condition | None) -> None:
        self.model, self.condition = model, condition
        self.heard = np.zeros(0, dtype=np.float32)

    def accept(self, samples: Samples) -> Update:
        self.heard = np.concatenate([self.heard, samples])[:WIDTH]
        return Update()

    def finish(self) -> Update:
        if not len(self.heard):
            return Update((), ())
        example = Example("heard", self.heard, (Turn("", 0.0, 1.0),), self.condition)
        with torch.inference_mode():
            scores = self.model.head(self.model._encode(self.model.collate([example], np.random.default_rng(0))))
        return Update((Token(f" {int(scores.argmax())}"),), ())


class StandInTrainer:
    """A :class:`earmark.bench.api.Trainer` of a few steps over :func:`train_rows`; plain and deterministic."""

    def __init__(self, *, seed: int = 0, n_steps: int = 4, batch_size: int = 8) -> None:
        self.seed, self.n_steps, self.batch_size = seed, n_steps, batch_size
        self._rows = train_rows()

    @property
    def rows(self) -> Table:
        return self._rows

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        """Examples of the given rows: noise that is a little louder in the north."""
        for index in range(len(self._rows)) if where is None else where:
            row = self._rows.slice(index, 1).to_pylist()[0]
            rng = np.random.default_rng((index, 7))
            loudness = 0.3 if row["cohort"] == "north" else 0.1
            samples = (loudness * rng.standard_normal(2 * WIDTH)).astype(np.float32)
            turn = Turn("word" * (1 + index % 3), 0.0, 2 * WIDTH / 16_000, row["speaker"])
            yield Example(row["utterance_id"], samples, (turn,))

    def gradients(self, model: Trainable[Any], where: Sequence[int]) -> Iterator[Mapping[str, Tensor]]:
        """Gradients of the loss, one utterance at a time, in eval mode; the model keeps none."""
        named = dict(model.named_parameters())
        for example in self.examples(where):
            batch = model.collate([example], np.random.default_rng(self.seed))
            loss = _total(model.loss(batch, Progress(0, self.n_steps)))
            found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            yield {
                name: torch.zeros_like(parameter) if gradient is None else gradient
                for (name, parameter), gradient in zip(named.items(), found, strict=True)
            }

    def fit(
        self,
        model: M,
        *,
        row_weights: Sequence[float] | None = None,
        transform: Callable[[Example, Generator], Example] | None = None,
        objective: Callable[[M], Objective[Any]] | None = None,
        frozen: Sequence[str] = (),
    ) -> M:
        """Train a copy with plain gradient steps on rows drawn by weight, under a torch generator of its own."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self._fit(copy.deepcopy(model), row_weights, transform, objective, frozen)

    def _fit(
        self,
        trained: M,
        row_weights: Sequence[float] | None,
        transform: Callable[[Example, Generator], Example] | None,
        objective: Callable[[M], Objective[Any]] | None,
        frozen: Sequence[str],
    ) -> M:
        replaced = objective(trained) if objective is not None else None
        optimizer = torch.optim.SGD(_free_parameters(trained, frozen), lr=0.1)
        rng, chance = np.random.default_rng(self.seed), self._chances(row_weights)
        for step in range(self.n_steps):
            progress = Progress(step, self.n_steps)
            examples = [*self.examples(rng.choice(len(self._rows), self.batch_size, p=chance).tolist())]
            if transform is not None:
                examples = [transform(example, rng) for example in examples]
            batch = trained.collate(examples, rng)
            losses = replaced.losses(batch, progress) if replaced else trained.loss(batch, progress)
            optimizer.zero_grad()
            _total(losses).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if replaced:
                replaced.after_step(batch, progress)
        return trained

    def _chances(self, row_weights: Sequence[float] | None) -> Any:
        if row_weights is None:
            return None
        weights = np.asarray(row_weights, dtype=np.float64)
        if weights.shape != (len(self._rows),) or weights.min() < 0 or not weights.sum() > 0:
            raise InputError(f"row_weights of shape {weights.shape}", fix="give one weight, zero or more, for each row")
        return weights / weights.sum()


def _total(losses: Losses) -> Tensor:
    return torch.stack([*losses.terms.values()]).sum()


def _free_parameters(model: Trainable[Any], frozen: Sequence[str]) -> list[Tensor]:
    parts = model.parts()
    if unknown := [part for part in frozen if part not in parts]:
        raise InputError(f"no part {unknown[0]!r} to freeze", fix=f"there is {', '.join(parts)}")
    held = {name for part in frozen for name in parts[part]}
    return [parameter for name, parameter in model.named_parameters() if name not in held]
