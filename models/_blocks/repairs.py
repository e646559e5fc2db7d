"""What repairs of trained models have in common: whose utterances they train on, which parts, and on what model."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from earmark.bench.api import HasInfo, InputError, Unsupported

if TYPE_CHECKING:
    from earmark.bench.api import Trainable, Trainer

T = TypeVar("T")
LEARNS = ("parts", "collate", "loss", "named_parameters", "state_dict")


@dataclass(frozen=True, slots=True)
class TrainCohorts:
    """``names``: the cohort of each train utterance; ``target``: the cohorts that a repair is for."""

    names: tuple[str, ...]
    target: frozenset[str]

    @classmethod
    def read(cls, target: Sequence[str], trainer: Trainer, *, plugin: str) -> TrainCohorts:
        """From the rows of a trainer. InputError where they have no cohorts, or none of these."""
        rows = trainer.rows
        if "cohort" not in rows.column_names:
            raise InputError("the train utterances have no cohorts", where=plugin, fix="name cohorts in the repair")
        names = tuple(rows["cohort"].to_pylist())
        if not set(target) & set(names):
            what = f"no train utterance is of {' or '.join(map(repr, target)) or 'a target cohort: none is named'}"
            raise InputError(what, where=plugin, fix=f"there is {', '.join(sorted(map(str, set(names))))}")
        return cls(names, frozenset(target))

    @property
    def sizes(self) -> dict[str, int]:
        """Train utterances of each cohort."""
        return dict(Counter(self.names))

    @property
    def only_target(self) -> list[float]:
        """Weights of the utterances that leave the target cohorts alone."""
        return [float(name in self.target) for name in self.names]


def learner(model: HasInfo, *, plugin: str) -> Trainable[Any]:
    """The model as one that can be trained; Unsupported where it can't be."""
    lacking = [name for name in LEARNS if not callable(getattr(model, name, None))]
    if lacking:
        raise Unsupported(f"{plugin} repairs models that can be trained: this one has no {lacking[0]}()")
    return cast("Trainable[Any]", model)


def at_rest(model: T) -> T:
    """A copy in eval mode, where models have modes."""
    kept = copy.deepcopy(model)
    if callable(rest := getattr(kept, "eval", None)):
        rest()
    return kept


def frozen_parts(model: Trainable[Any], frozen: Collection[str], *, plugin: str, option: str) -> tuple[str, ...]:
    """These parts, which stay as they are. InputError for a part that the model doesn't have, or if none is left."""
    _check_parts(model, frozen, plugin=plugin, option=option)
    if set(frozen) >= {part for part, names in model.parts().items() if names}:
        raise InputError(f"option {option!r} leaves no part to train", where=plugin, fix="leave one out")
    return tuple(frozen)


def frozen_but(model: Trainable[Any], adapted: Collection[str], *, plugin: str, option: str) -> tuple[str, ...]:
    """All parts but these, none if these are none. InputError for a part that the model doesn't have."""
    _check_parts(model, adapted, plugin=plugin, option=option)
    return tuple(part for part in model.parts() if part not in adapted) if adapted else ()


def _check_parts(model: Trainable[Any], wanted: Collection[str], *, plugin: str, option: str) -> None:
    parts = model.parts()
    if unknown := [part for part in wanted if part not in parts]:
        what = f"option {option!r} names {unknown[0]!r}, which is no part of this model"
        raise InputError(what, where=plugin, fix=f"its parts are: {', '.join(parts)}")
