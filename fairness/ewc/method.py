"""Elastic weight consolidation for geographic disparities (https://arxiv.org/abs/2207.07850): a trained recognizer is
adapted to the target cohorts, and each weight is held back the more it mattered to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from earmark.bench.api import HasInfo, Json, Repaired, Trainer
from earmark.fairness.ewc.fisher import diagonal_fisher, population
from earmark.fairness.ewc.objective import Consolidation
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.repairs import TrainCohorts, frozen_but, learner

NAME = "ewc"


@dataclass(frozen=True, slots=True)
class Options:
    strength: float = 1000.0
    """Lambda; 0 is plain fine-tuning."""
    parts: tuple[str, ...] = ()
    """Parts of the model that adapt, all others being frozen; none named: all adapt."""
    fisher_utterances: int = 500
    """Train utterances, of all cohorts, that the Fisher information is estimated on."""
    seed: int = 0
    """Of the draw of these utterances."""

    def __post_init__(self) -> None:
        in_range("strength", self.strength, 0.0, 1e12, plugin=NAME)
        in_range("fisher_utterances", self.fisher_utterances, 1, 10**6, plugin=NAME)
        in_range("seed", self.seed, 0, 2**32, plugin=NAME)


@dataclass(frozen=True, slots=True)
class Ewc:
    """A mitigation."""

    options: Options

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        """The model adapted to the target cohorts within its springs.

        Raises:
            InputError: no train utterance is of a target cohort, or ``parts`` names no part of the model.
        """
        trainable, options = learner(model, plugin=NAME), self.options
        cohorts = TrainCohorts.read(target, trainer, plugin=NAME)
        frozen = frozen_but(trainable, options.parts, plugin=NAME, option="parts")
        held = {name for part in frozen for name in trainable.parts()[part]}
        anchor = {n: tensor.detach().clone() for n, tensor in trainable.named_parameters() if n not in held}
        where = population(len(cohorts.names), options.fisher_utterances, options.seed)
        objective = partial(
            Consolidation,
            anchor=anchor,
            fisher=diagonal_fisher(trainable, trainer, where, [*anchor]),
            strength=options.strength,
            n_utterances=len(where),
        )
        weights = cohorts.only_target
        return Repaired(trainer.fit(trainable, row_weights=weights, objective=objective, frozen=frozen))


def build(*, options: Mapping[str, Json]) -> Ewc:
    """The mitigation with these options; InputError where one is wrong."""
    return Ewc(read_options(Options, options, plugin=NAME))
