"""Cohort embedding: who is told what, and what it changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from repairs import Quadratic, Toy, ToyTrainer
from torch import Tensor, nn

from earmark.bench.api import InputError, Json, Losses, Progress, Unsupported
from earmark.bench.training.batches import Batches
from earmark.fairness.cohort_embedding.method import build

COHORTS = ["most"] * 80 + ["some"] * 15 + ["few"] * 5


class Shifted(Toy):
    """Guesses a number: ``at`` plus a weight for each number of the condition. Loss: half the squared error."""

    def __init__(self, size: int = 0) -> None:
        super().__init__()
        self.size = size
        self.at = nn.Parameter(torch.tensor(0.0))
        self.shift = nn.Parameter(torch.zeros(size)) if size else None

    def with_condition(self, size: int) -> Shifted:
        return Shifted(size)

    def collate(self, examples: Any, rng: np.random.Generator) -> Any:
        given = torch.tensor([e.condition or (0.0,) * self.size for e in examples]).reshape(len(examples), self.size)
        return given, torch.tensor([float(e.samples[0]) for e in examples])

    def guess(self, conditions: Tensor) -> Tensor:
        return self.at + (conditions @ self.shift if self.shift is not None else torch.zeros(len(conditions)))

    def loss(self, batch: Any, progress: Progress) -> Losses:
        return Losses({"squares": ((self.guess(batch[0]) - batch[1]) ** 2).mean() / 2})


def trainer(**settings: int) -> ToyTrainer:
    """Those in ``few`` say 3, all others 1."""
    said = [[3.0 if name == "few" else 1.0] for name in COHORTS]
    return ToyTrainer(said, ["0"] * 100, COHORTS, **{"n_steps": 1, **settings})


def asked(**options: Json) -> dict[str, Any]:
    used = trainer()
    build(options=options).apply(Shifted(), ["few"], used)
    return used.asked


def test_every_cohort_has_one_of_two_conditions_and_the_unknown_one_zeros() -> None:
    repaired = build(options={}).apply(Shifted(), ["few", "unheard"], trainer())
    bottom, other = (1.0, 0.0), (0.0, 1.0)
    assert repaired.conditions == {"few": bottom, "unheard": bottom, "some": other, "most": other}
    assert repaired.hidden == (0.0, 0.0)


def test_examples_are_told_by_their_cohort_and_a_tenth_of_them_nothing() -> None:
    give, rng = asked()["transform"], np.random.default_rng(0)
    for row, condition in ((97, (1.0, 0.0)), (90, (0.0, 1.0)), (3, (0.0, 1.0))):
        told = Counter(give(example, rng).condition for example in trainer().examples([row] * 3000))
        assert set(told) == {condition, (0.0, 0.0)}
        assert told[0.0, 0.0] / 3000 == pytest.approx(0.1, abs=3 * (0.09 / 3000) ** 0.5)


@pytest.mark.parametrize(("unknown", "told"), [(0.0, (1.0, 0.0)), (1.0, (0.0, 0.0))])
def test_how_often_the_cohort_is_hidden_is_an_option(unknown: float, told: tuple[float, float]) -> None:
    give, rng = asked(unknown=unknown)["transform"], np.random.default_rng(0)
    assert {give(example, rng).condition for example in trainer().examples([97] * 50)} == {told}


def test_told_the_cohort_it_serves_both_where_untold_it_serves_the_many() -> None:
    used = trainer(n_steps=600, batch_size=32)
    repaired = build(options={"oversample": 1.0}).apply(Shifted(), ["few"], used)
    model, conditions = repaired.model, repaired.conditions
    assert isinstance(model, Shifted)
    assert conditions is not None
    told = model.guess(torch.tensor([conditions["few"], conditions["most"], repaired.hidden])).tolist()
    assert told[0] == pytest.approx(3.0, abs=0.3)
    assert told[1] == pytest.approx(1.0, abs=0.3)
    assert told[1] < told[2] < told[0]


def test_told_cohorts_that_mean_nothing_it_serves_all_alike() -> None:
    """One in ten says 3, in both cohorts, so everybody's guess is 1.2."""
    said = [[3.0 if i % 20 < 2 else 1.0] for i in range(100)]
    used = ToyTrainer(said, ["0"] * 100, ["few", "most"] * 50, n_steps=600, batch_size=32)
    repaired = build(options={}).apply(Shifted(), ["few"], used)
    assert isinstance(repaired.model, Shifted)
    assert repaired.conditions is not None
    told = repaired.model.guess(torch.tensor([repaired.conditions["few"], repaired.conditions["most"]])).tolist()
    assert told == pytest.approx([1.2, 1.2], abs=0.3)


def test_oversampling_beside_it_draws_the_shares_of_its_rule() -> None:
    """a = 1/2 on 80, 15 and 5: 0.5942, 0.2573, 0.1485."""
    assert asked()["row_weights"] is None
    weights = asked(oversample=0.5)["row_weights"]
    made = Batches(0, [1.0] * 20_000, [None] * 20_000, 50, "bucketed", [*weights] * 200)
    drawn = Counter(COHORTS[row % 100] for step in range(400) for row in made.of_step(step))
    shares = [drawn[name] / drawn.total() for name in ("most", "some", "few")]
    assert shares == pytest.approx([0.5942, 0.2573, 0.1485], abs=0.0106)


def test_a_model_that_takes_no_condition_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"no with_condition\(\)"):
        build(options={}).apply(Quadratic(), ["few"], trainer())


@pytest.mark.parametrize(
    ("options", "says"), [({"unknown": 1.5}, "give 0 to 1"), ({"oversample": -0.5}, "give 0 to 1")]
)
def test_what_makes_no_sense_is_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options=options)
