"""Adversarial reweighting for fair speaker verification (https://arxiv.org/abs/2207.07776): a trained embedder is
trained further while an adversary, which knows no groups, makes count for more what it does badly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from earmark.bench.api import HasInfo, Json, MetricLearner, Repaired, Trainer, Unsupported
from earmark.fairness.adversarial_reweighting.objective import Reweighting
from earmark.fairness.adversarial_reweighting.options import NAME, Options
from earmark.models._blocks.checks import read_options
from earmark.models._blocks.repairs import at_rest, learner

PAIRS = ("embeddings", "pair_loss")


@dataclass(frozen=True, slots=True)
class AdversarialReweighting:
    """A mitigation that looks at no cohort, whatever is named as its target."""

    options: Options

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:  # noqa: ARG002 - no groups
        """The model trained further with weights of the adversary's.

        Raises:
            Unsupported: the model learns nothing from pairs.
        """
        trainable: Any = learner(model, plugin=NAME)
        lacking = [name for name in PAIRS if not callable(getattr(model, name, None))]
        if lacking:
            raise Unsupported(f"{NAME} weighs pairs of recordings: this model has no {lacking[0]}()")
        dim, device = _embedding_of(trainable, trainer)

        def game(learning: Any) -> Reweighting:
            return Reweighting(learning, self.options, dim=dim, device=device)

        return Repaired(trainer.fit(trainable, objective=game))


def _embedding_of(model: Any, trainer: Trainer) -> tuple[int, torch.device]:
    """How many numbers an embedding has, and where it lives."""
    resting = cast("MetricLearner[Any]", at_rest(model))
    batch = resting.collate([*trainer.examples([0])], np.random.default_rng(0))
    with torch.no_grad():
        embeddings, _ = resting.embeddings(batch)
    return embeddings.shape[1], embeddings.device


def build(*, options: Mapping[str, Json]) -> AdversarialReweighting:
    """The mitigation with these options; InputError where one is wrong."""
    return AdversarialReweighting(read_options(Options, options, plugin=NAME))
