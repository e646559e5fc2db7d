"""One mitigation of every family, as short as it can be: the trainer's interface is enough for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from numpy.random import Generator
from torch import Tensor, nn

from earmark.bench.api import (
    Conditionable,
    Example,
    HasInfo,
    Json,
    Losses,
    MetricLearner,
    Objective,
    Progress,
    Repaired,
    Trainable,
    Trainer,
)


class Oversampling:
    """Every cohort is drawn equally often."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        cohorts = trainer.rows["cohort"].to_pylist()
        sizes = Counter(cohorts)
        return Repaired(trainer.fit(cast("Trainable[Any]", model), row_weights=[1 / sizes[name] for name in cohorts]))


class Ewc:
    """Adapts to the target cohorts and holds back the weights that mattered, by their squared gradients."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        trainable = cast("Trainable[Any]", model)
        cohorts = trainer.rows["cohort"].to_pylist()
        importance: dict[str, Tensor] = {}
        for gradient in trainer.gradients(trainable, [k for k, name in enumerate(cohorts) if name not in target]):
            for name, value in gradient.items():
                importance[name] = importance.get(name, torch.zeros_like(value)) + value**2
        anchor = {name: value.detach().clone() for name, value in trainable.named_parameters()}
        objective = Anchored.factory(anchor, importance)
        weights = [float(name in target) for name in cohorts]
        return Repaired(trainer.fit(trainable, row_weights=weights, objective=objective))


class Anchored:
    """An Objective: the model's loss plus a spring to the anchor."""

    def __init__(self, model: Trainable[Any], anchor: Mapping[str, Tensor], importance: Mapping[str, Tensor]) -> None:
        self.model, self.anchor, self.importance = model, anchor, importance

    @classmethod
    def factory(cls, *known: Mapping[str, Tensor]) -> Callable[[Trainable[Any]], Objective[Any]]:
        return lambda model: cls(model, *known)

    def losses(self, batch: Any, progress: Progress) -> Losses:
        found = self.model.loss(batch, progress)
        named = self.model.named_parameters()
        pulls = [(self.importance[name] * (value - self.anchor[name]) ** 2).sum() for name, value in named]
        return Losses({**found.terms, "anchor": torch.stack(pulls).sum()}, found.items)

    def after_step(self, batch: Any, progress: Progress) -> Mapping[str, float]:
        return {}

    def state(self) -> Mapping[str, Tensor]:
        return {f"anchor.{name}": value for name, value in self.anchor.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.anchor = {name.removeprefix("anchor."): value for name, value in state.items()}


class CohortEmbedding:
    """One-hot cohort conditions, hidden for a tenth of the examples so that the unknown cohort is trained too."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        rows = trainer.rows.to_pylist()
        names = sorted({row["cohort"] for row in rows})
        conditions = {name: tuple(float(name == other) for other in names) for name in names}
        of = {row["utterance_id"]: conditions[row["cohort"]] for row in rows}
        hidden = (0.0,) * len(names)

        def give(example: Example, rng: Generator) -> Example:
            return replace(example, condition=hidden if rng.random() < 0.1 else of[example.utterance_id])

        wide = cast(Conditionable, model).with_condition(len(names))
        return Repaired(trainer.fit(cast("Trainable[Any]", wide), transform=give), conditions, hidden)


class AdversarialReweighting:
    """An adversary raises the weight of the pairs that a verification model gets wrong."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        return Repaired(trainer.fit(cast("MetricLearner[Any]", model), objective=Adversary))


class Adversary:
    """An Objective with an optimizer of its own."""

    def __init__(self, model: MetricLearner[Any]) -> None:
        self.model = model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.score = nn.LazyLinear(1)
        self.optimizer: torch.optim.SGD | None = None

    def weights(self, embeddings: Tensor) -> Tensor:
        scores = self.score(embeddings)[:, 0]
        return 1 + len(scores) * torch.softmax(scores, dim=0)[:, None] * torch.ones(len(scores))

    def losses(self, batch: Any, progress: Progress) -> Losses:
        embeddings, speakers = self.model.embeddings(batch)
        return self.model.pair_loss(embeddings, speakers, self.weights(embeddings.detach()).detach())

    def after_step(self, batch: Any, progress: Progress) -> Mapping[str, float]:
        embeddings, speakers = (tensor.detach() for tensor in self.model.embeddings(batch))
        self.optimizer = self.optimizer or torch.optim.SGD(self.score.parameters(), lr=0.1)
        loss = -next(iter(self.model.pair_loss(embeddings, speakers, self.weights(embeddings)).terms.values()))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return {"adversary": float(loss.detach())}

    def state(self) -> Mapping[str, Tensor]:
        return {name: value.clone() for name, value in self.score.state_dict().items()}  # plain SGD holds no more

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.score.load_state_dict(dict(state))


class Overwriting(Oversampling):
    """Dishonest: it repairs the model that it was given, in place."""

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        repaired = super().apply(model, target, trainer)
        cast(nn.Module, model).load_state_dict(cast(nn.Module, repaired.model).state_dict())
        return repaired


def oversampling(*, options: Mapping[str, Json]) -> Oversampling:
    return Oversampling()


def ewc(*, options: Mapping[str, Json]) -> Ewc:
    return Ewc()


def cohort_embedding(*, options: Mapping[str, Json]) -> CohortEmbedding:
    return CohortEmbedding()


def adversarial_reweighting(*, options: Mapping[str, Json]) -> AdversarialReweighting:
    return AdversarialReweighting()


def overwriting(*, options: Mapping[str, Json]) -> Overwriting:
    return Overwriting()
