"""What repairs refuse, and what they take of rows and models."""

from __future__ import annotations

from typing import Any

import pytest
from repairs import Quadratic, ToyTrainer

from earmark.bench.api import InputError, ModelInfo, Unsupported
from earmark.models._blocks.repairs import TrainCohorts, at_rest, frozen_but, frozen_parts, learner

TRAINER = ToyTrainer([[0.0, 0.0]] * 4, ["0"] * 4, ["north", "south", "south", "east"])
AT: dict[str, Any] = {"plugin": "unit", "option": "parts"}


def test_cohorts_are_those_of_the_rows() -> None:
    cohorts = TrainCohorts.read(["south", "west"], TRAINER, plugin="unit")
    assert cohorts.sizes == {"north": 1, "south": 2, "east": 1}
    assert cohorts.only_target == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(("target", "says"), [(["west"], "is of 'west'"), ([], "none is named")])
def test_a_target_without_utterances_is_refused(target: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        TrainCohorts.read(target, TRAINER, plugin="unit")
    assert "there is east, north, south" in str(error.value)


def test_rows_without_cohorts_are_refused() -> None:
    trainer = ToyTrainer([[0.0]], ["0"], ["north"])
    trainer._rows = trainer.rows.drop_columns(["cohort"])
    with pytest.raises(InputError, match="have no cohorts"):
        TrainCohorts.read(["north"], trainer, plugin="unit")


def test_parts_are_those_of_the_model() -> None:
    model = Quadratic()
    assert frozen_parts(model, ["u"], **AT) == ("u",)
    assert frozen_parts(model, [], **AT) == ()
    assert frozen_but(model, ["u"], **AT) == ("v",)
    assert frozen_but(model, [], **AT) == ()
    for choose in (frozen_parts, frozen_but):
        with pytest.raises(InputError, match=r"'parts' names 'encodr'.*its parts are: u, v"):
            choose(model, ["encodr"], **AT)
    with pytest.raises(InputError, match="no part to train"):
        frozen_parts(model, ["v", "u"], **AT)


def test_a_model_that_learns_nothing_is_unsupported() -> None:
    class Deaf:
        info = ModelInfo(16_000)

    with pytest.raises(Unsupported, match=r"has no parts\(\)"):
        learner(Deaf(), plugin="unit")


def test_at_rest_is_a_copy_in_eval_mode() -> None:
    model = Quadratic().train()
    assert not at_rest(model).training
    assert model.training
    assert at_rest(3) == 3
