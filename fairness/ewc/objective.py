"""The loss of elastic weight consolidation: the model's own, and springs that hold its weights where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from earmark.bench.api import Losses, Progress, Trainable

ANCHOR, FISHER = "anchor/", "fisher/"


class Consolidation:
    """An Objective: the terms of the model's loss as they are, and (strength / 2) sum_i F_i (theta_i - theta*_i)^2.

    State: theta* and F, so that a training that is taken up goes on with the very same springs.
    """

    def __init__(
        self,
        model: Trainable[Any],
        *,
        anchor: Mapping[str, Tensor],
        fisher: Mapping[str, Tensor],
        strength: float,
        n_utterances: int,
    ) -> None:
        self.model, self.anchor, self.fisher = model, dict(anchor), dict(fisher)
        self.strength, self.n_utterances = strength, n_utterances
        self.latest = 0.0

    def distance(self) -> Tensor:
        """sum_i F_i (theta_i - theta*_i)^2, ()."""
        weights = dict(self.model.named_parameters())
        pulls = [(f * (weights[name] - self.anchor[name]).square()).sum() for name, f in self.fisher.items()]
        return torch.stack(pulls).sum()

    def losses(self, batch: Any, progress: Progress) -> Losses:
        found, distance = self.model.loss(batch, progress), self.distance()
        self.latest = float(distance.detach())
        return Losses({**found.terms, "ewc": self.strength / 2 * distance}, found.items)

    def after_step(self, batch: Any, progress: Progress) -> Mapping[str, float]:  # noqa: ARG002 - no update of its own
        """For the log: the distance before the step, and how many utterances F comes from."""
        return {"fisher_distance": self.latest, "fisher_utterances": float(self.n_utterances)}

    def state(self) -> Mapping[str, Tensor]:
        kept = {ANCHOR: self.anchor, FISHER: self.fisher}
        return {prefix + name: tensor for prefix, named in kept.items() for name, tensor in named.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for prefix, named in ((ANCHOR, self.anchor), (FISHER, self.fisher)):
            for name, tensor in named.items():
                named[name] = state[prefix + name].to(tensor.device)
