"""Cohort embedding (Toward fairness in ASR, https://arxiv.org/abs/2207.11345): beside the audio, the recognizer is told
in two numbers whether the speaker is of a target cohort, and is trained further with that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from earmark.bench.api import Condition, Conditionable, Example, HasInfo, Json, Repaired, Trainer, Unsupported
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.repairs import TrainCohorts, learner
from earmark.models._blocks.shares import row_weights, smoothed_shares

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "cohort_embedding"
BOTTOM: Condition = (1.0, 0.0)
NOT_BOTTOM: Condition = (0.0, 1.0)
UNKNOWN: Condition = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Options:
    unknown: float = 0.1
    """Share of training utterances whose cohort is hidden, so that the model also serves speakers of unknown cohort."""
    oversample: float = 0.0
    """Exponent a of oversampling beside it: cohorts are drawn in shares p ~ q^(1 - a); 0 as they are found."""

    def __post_init__(self) -> None:
        in_range("unknown", self.unknown, 0.0, 1.0, plugin=NAME)
        in_range("oversample", self.oversample, 0.0, 1.0, plugin=NAME)


@dataclass(frozen=True, slots=True)
class GiveCondition:
    """A transform: each utterance gets the condition of its cohort, ``conditions`` by id, or now and then none."""

    conditions: Mapping[str, Condition]
    unknown: float

    def __call__(self, example: Example, rng: Generator) -> Example:
        hidden = rng.random() < self.unknown
        return replace(example, condition=UNKNOWN if hidden else self.conditions[example.utterance_id])


@dataclass(frozen=True, slots=True)
class CohortEmbedding:
    """A mitigation."""

    options: Options

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        """A model that takes a condition, trained further, with the condition of every cohort.

        Raises:
            InputError: no train utterance is of a target cohort.
            Unsupported: the model takes no condition.
        """
        learner(model, plugin=NAME)
        if not callable(getattr(model, "with_condition", None)):
            raise Unsupported(f"{NAME} repairs models that take a condition: this one has no with_condition()")
        cohorts = TrainCohorts.read(target, trainer, plugin=NAME)
        conditions = {name: BOTTOM if name in target else NOT_BOTTOM for name in (*cohorts.names, *target)}
        ids = trainer.rows["utterance_id"].to_pylist()
        by_id = {name: conditions[cohort] for name, cohort in zip(ids, cohorts.names, strict=True)}
        shares = smoothed_shares(cohorts.sizes, self.options.oversample)
        wide = learner(cast("HasInfo", cast("Conditionable", model).with_condition(len(UNKNOWN))), plugin=NAME)
        trained = trainer.fit(
            wide,
            row_weights=row_weights(cohorts.names, shares) if self.options.oversample else None,
            transform=GiveCondition(by_id, self.options.unknown),
        )
        return Repaired(trained, conditions, UNKNOWN)


def build(*, options: Mapping[str, Json]) -> CohortEmbedding:
    """The mitigation with these options; InputError where one is wrong."""
    return CohortEmbedding(read_options(Options, options, plugin=NAME))
