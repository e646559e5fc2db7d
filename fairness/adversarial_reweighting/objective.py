"""The game: the learner lowers the weighted loss of a batch, the adversary gives the weights that make it high."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from earmark.bench.api import Losses, MetricLearner, Progress
from earmark.fairness.adversarial_reweighting import adversary as adversaries
from earmark.fairness.adversarial_reweighting.options import Options
from earmark.fairness.adversarial_reweighting.regions import Regions

ADVERSARY, OPTIMIZER, REGIONS = "adversary/", "optimizer/", "regions/"


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch as the adversary knows it: (n, D) embeddings, no way back from them, (n,) speakers, (n, width) inputs."""

    embeddings: Tensor
    speakers: Tensor
    inputs: Tensor
    losses: Tensor | None


class Reweighting:
    """An Objective over a :class:`earmark.bench.api.MetricLearner` whose embeddings have ``dim`` numbers.

    Its own update touches the adversary's parameters alone; the learner gets weights as numbers, with no way back to
    the adversary. State: the adversary, the moments of its optimizer, the regions and what these are found from.
    """

    def __init__(self, model: MetricLearner[Any], options: Options, *, dim: int, device: torch.device) -> None:
        self.model, self.options = model, options
        width = dim + options.regions if options.informed else adversaries.SEEN_OF_SIMILARITIES
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.adversary = adversaries.Adversary(width, options.hidden).to(device)
        self.optimizer = torch.optim.Adam(self.adversary.parameters(), lr=options.learning_rate)
        self.regions = Regions(options.regions, dim, n_kept=options.kept, seed=options.seed)
        self.seen: Seen | None = None

    def losses(self, batch: Any, progress: Progress) -> Losses:
        """The model's loss on pairs, each with its weight."""
        embeddings, speakers = self.model.embeddings(batch)
        inputs = self._look(embeddings.detach(), speakers, progress)
        with torch.no_grad():
            weights = self.weights(inputs, progress)
        found = self.model.pair_loss(embeddings, speakers, self.of_pairs(weights))
        self.seen = Seen(embeddings.detach(), speakers, inputs, found.items)
        return Losses(found.terms, found.items, weights)

    def after_step(self, batch: Any, progress: Progress) -> Mapping[str, float]:  # noqa: ARG002 - seen before
        """The adversary's step up the loss that the learner has just gone down."""
        assert self.seen is not None
        if self.options.form == "uniform" or not self._plays(progress):
            return {"weight_std": 0.0}
        weights = self.weights(self.seen.inputs, progress)
        found = self.model.pair_loss(self.seen.embeddings, self.seen.speakers, self.of_pairs(weights))
        gained = torch.stack([*found.terms.values()]).sum()
        ours = list(self.adversary.parameters())
        for parameter, gradient in zip(ours, torch.autograd.grad(gained, ours), strict=True):
            parameter.grad = -gradient
        self.optimizer.step()
        return self._told(weights.detach())

    def weights(self, inputs: Tensor, progress: Progress) -> Tensor:
        """(n,) weights of recordings, of mean floor + 1; all equal while the adversary waits."""
        if self.options.form == "uniform" or not self._plays(progress):
            return inputs.new_full((len(inputs),), self.options.floor + 1.0)
        return adversaries.normalized_weights(self.adversary(inputs), self.options.floor)

    def of_pairs(self, weights: Tensor) -> Tensor:
        """(n,) -> (n, n) weights of pairs."""
        if self.options.form in ("pairs", "uniform"):
            return adversaries.weights_of_pairs(weights)
        return adversaries.weights_of_each(weights)

    def _look(self, embeddings: Tensor, speakers: Tensor, progress: Progress) -> Tensor:
        """(n, width) inputs of the adversary, from regions that are found again from time to time."""
        if not self.options.informed:
            return adversaries.accumulated_similarities(embeddings, speakers)
        self.regions.add(embeddings)
        if not self._plays(progress):
            return embeddings.new_zeros(len(embeddings), embeddings.shape[1] + self.options.regions)
        if not len(self.regions.centroids) or progress.step % self.options.renew == 0:
            self.regions.renew(progress.step)
        return adversaries.with_regions(embeddings, self.regions.of(embeddings), self.options.regions)

    def _plays(self, progress: Progress) -> bool:
        return progress.step >= self.options.warm_up * progress.n_steps

    def _told(self, weights: Tensor) -> Mapping[str, float]:
        """For the log: spread and range of the weights of recordings, and how they go with the losses."""
        told = {"weight_std": float(weights.std()), "weight_max": float(weights.max())}
        losses = self.seen.losses if self.seen is not None else None
        if losses is not None and float(losses.std()) > 0 and told["weight_std"] > 0:
            told["weight_loss_r"] = float(torch.corrcoef(torch.stack([weights, losses]))[0, 1])
        return told

    def state(self) -> Mapping[str, Tensor]:
        moments = {
            f"{place}|{name}": torch.as_tensor(value)
            for place, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }
        kept = {ADVERSARY: self.adversary.state_dict(), OPTIMIZER: moments, REGIONS: self.regions.state()}
        return {prefix + name: tensor for prefix, named in kept.items() for name, tensor in named.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        def named(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}

        self.adversary.load_state_dict(named(ADVERSARY))
        self.regions.restore(named(REGIONS))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in named(OPTIMIZER).items():
            place, _, name = key.partition("|")
            moments.setdefault(int(place), {})[name] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
