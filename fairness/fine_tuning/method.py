"""Fine-tuning: a trained model is trained further, on the utterances of the target cohorts or, as a control, on all.

The baseline that elastic weight consolidation is compared with (https://arxiv.org/abs/2207.07850). What it gains has to
be seen beside the control: more steps alone may help everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.bench.api import HasInfo, InputError, Json, Repaired, Trainer
from earmark.models._blocks.checks import read_options
from earmark.models._blocks.repairs import TrainCohorts, frozen_parts, learner

NAME = "fine_tuning"
ROWS = ("target", "all")


@dataclass(frozen=True, slots=True)
class Options:
    rows: str = "target"
    """``target``: the target cohorts' utterances alone; ``all``: everybody's, as many steps, the control."""
    frozen: tuple[str, ...] = ()
    """Parts of the model that are kept as they are."""

    def __post_init__(self) -> None:
        if self.rows not in ROWS:
            raise InputError(f"option 'rows' is {self.rows!r}", where=NAME, fix=f"give one of: {', '.join(ROWS)}")


@dataclass(frozen=True, slots=True)
class FineTuning:
    """A mitigation."""

    options: Options

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        """The model trained further, on the target cohorts alone or on everybody, for which it takes no cohorts.

        Raises:
            InputError: no train utterance is of a target cohort, or ``frozen`` names no part of the model.
        """
        trainable, weights = learner(model, plugin=NAME), None
        frozen = frozen_parts(trainable, self.options.frozen, plugin=NAME, option="frozen")
        if self.options.rows == "target":
            weights = TrainCohorts.read(target, trainer, plugin=NAME).only_target
        return Repaired(trainer.fit(trainable, row_weights=weights, frozen=frozen))


def build(*, options: Mapping[str, Json]) -> FineTuning:
    """The mitigation with these options; InputError where one is wrong."""
    return FineTuning(read_options(Options, options, plugin=NAME))
