"""Elastic weight consolidation on models whose optimum is known, and in the real loop."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes.recognizer import TinyRecognizer
from repairs import Quadratic, ToyTrainer, changed, loop_data

from earmark.bench.api import Example, InputError, Json, Progress
from earmark.bench.training.loop import Course
from earmark.bench.training.recipe import Recipe
from earmark.bench.training.trainer import FabricTrainer
from earmark.fairness.ewc.method import build
from earmark.fairness.ewc.objective import Consolidation
from earmark.fairness.fine_tuning.method import build as fine_tuning

NORTH = (3.0, -1.0)
START = (1.0, 0.5)


def trainer() -> ToyTrainer:
    """Two utterances in the north that agree, six in the south that don't."""
    south = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.5], [1.5, 0.0], [0.5, 1.0], [1.0, 0.5]]
    places = [[*NORTH], [*NORTH], *south]
    return ToyTrainer(places, ["0"] * 8, ["north"] * 2 + ["south"] * 6, n_steps=400)


def repaired(**options: Json) -> Quadratic:
    model = build(options=options).apply(Quadratic(at=START), ["north"], trainer()).model
    assert isinstance(model, Quadratic)
    return model


def fisher() -> tuple[float, float]:
    """The mean square of a (theta - x) over all eight, by hand."""
    squares = (np.array(START) - np.array(trainer().samples)) ** 2 * np.array([1.0, 4.0])
    return tuple(squares.mean(axis=0))  # type: ignore[return-value]


def distance(model: Quadratic) -> float:
    return sum(f * (now - then) ** 2 for f, now, then in zip(fisher(), model.at, START, strict=True))


@pytest.mark.parametrize("strength", [0.1, 1.0, 3.0])
def test_it_reaches_the_optimum_of_a_quadratic(strength: float) -> None:
    """(a x + lambda F theta*) / (a + lambda F) minimizes a (theta - x)^2 / 2 + lambda F (theta - theta*)^2 / 2."""
    wanted = [
        (a * x + strength * f * start) / (a + strength * f)
        for a, x, f, start in zip((1.0, 2.0), NORTH, fisher(), START, strict=True)
    ]
    assert repaired(strength=strength).at == pytest.approx(wanted, abs=1e-4)


def test_without_strength_it_is_fine_tuning_to_the_last_bit() -> None:
    plain = fine_tuning(options={}).apply(Quadratic(at=START), ["north"], trainer()).model
    assert isinstance(plain, Quadratic)
    assert repaired(strength=0.0).at == plain.at


def test_the_stronger_the_nearer() -> None:
    found = [distance(repaired(strength=strength)) for strength in (0.0, 0.1, 0.5, 2.0)]
    assert all(nearer < farther for farther, nearer in pairwise(found))


def test_parts_adapt_and_the_others_keep_every_bit() -> None:
    assert changed(Quadratic(at=START), repaired(parts=["v"])) == {"v"}
    assert changed(Quadratic(at=START), repaired()) == {"u", "v"}


def springs(model: Quadratic, **changes: Any) -> Consolidation:
    known = {"anchor": {"u": torch.tensor(1.0), "v": torch.tensor(0.5)}, "strength": 3.0, "n_utterances": 8}
    return Consolidation(model, **(known | {"fisher": {"u": torch.tensor(2.0), "v": torch.tensor(4.0)}} | changes))


def batch_of(model: Quadratic) -> Any:
    return model.collate([*trainer().examples([0])], np.random.default_rng(0))


def test_penalty_and_its_gradient_are_zero_where_it_began() -> None:
    model = Quadratic(at=START)
    term = springs(model).losses(batch_of(model), Progress(0, 1)).terms["ewc"]
    assert float(term.detach()) == 0.0
    assert torch.autograd.grad(term, [model.u, model.v]) == (0.0, 0.0)


def test_penalty_and_its_gradient_elsewhere_are_those_of_the_formula() -> None:
    """1.5 (2 * 2^2 + 4 * 0.5^2) = 13.5; 3 * 2 * 2 = 12 and 3 * 4 * 0.5 = 6. The loss itself is left as it was."""
    model = Quadratic(at=(3.0, 1.0))
    objective = springs(model)
    found = objective.losses(batch_of(model), Progress(0, 1))
    assert float(found.terms["ewc"].detach()) == 13.5
    assert torch.autograd.grad(found.terms["ewc"], [model.u, model.v]) == (12.0, 6.0)
    alone = model.loss(batch_of(model), Progress(0, 1))
    assert torch.equal(found.terms["squares"], alone.terms["squares"])
    assert objective.after_step(None, Progress(0, 1)) == {"fisher_distance": 9.0, "fisher_utterances": 8.0}


def test_its_state_holds_the_springs() -> None:
    model = Quadratic(at=(3.0, 1.0))
    other = springs(model, anchor={"u": torch.tensor(0.0), "v": torch.tensor(0.0)})
    other.restore(springs(model).state())
    assert float(other.distance().detach()) == 9.0


@pytest.mark.parametrize(("wanted", "drawn"), [(500, 8), (3, 3)])
def test_how_many_utterances_there_were_is_said(wanted: int, drawn: int) -> None:
    asked = trainer()
    build(options={"fisher_utterances": wanted}).apply(Quadratic(), ["north"], asked)
    objective = asked.asked["objective"](Quadratic())
    assert objective.after_step(None, Progress(0, 1))["fisher_utterances"] == drawn


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -1.0}, "give 0 to"),
        ({"fisher_utterances": 0}, "give 1 to"),
        ({"parts": ["predictr"]}, "its parts are: u, v"),
        ({"lambda": 3.0}, "options are: strength"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        repaired(**options)


class Killed(Exception):
    pass


class Interrupted(TinyRecognizer):
    """Dies when that many batches were made while training."""

    left = 10**6

    def collate(self, examples: Any, rng: np.random.Generator) -> Any:
        self.left -= self.training
        if self.left < 0:
            raise Killed
        return super().collate(examples, rng)


def tiny(left: int = 10**6) -> Interrupted:
    torch.manual_seed(0)
    model = Interrupted().eval()
    model.left = left
    return model


def loop_trainer(**changes: Any) -> FabricTrainer:
    rng = np.random.default_rng(0)
    samples = [(0.1 * (1 + i % 3) * rng.standard_normal(1600)).astype(np.float32) for i in range(24)]
    data = loop_data(samples, ["word" * (1 + i % 3) for i in range(24)], ["north", "south"] * 12)
    recipe = Recipe(steps=8, batch_size=6, warmup=2, learning_rate=0.01, dev_every=2, save_every=2, threads=1)
    return FabricTrainer(Course(data, recipe, seed=5, **changes))


def test_taken_up_after_a_kill_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    ewc = build(options={"strength": 50.0})
    undisturbed: Any = ewc.apply(tiny(), ["north"], loop_trainer()).model
    kept: dict[str, Any] = {"state_file": tmp_path / "state.safetensors", "identity": "unit"}
    with pytest.raises(Killed):
        ewc.apply(tiny(left=5), ["north"], loop_trainer(**kept))
    assert kept["state_file"].is_file()
    assert changed(undisturbed, ewc.apply(tiny(), ["north"], loop_trainer(**kept)).model) == set()  # type: ignore[arg-type]


def test_in_the_loop_it_holds_and_tells() -> None:
    trainers = [loop_trainer(), loop_trainer()]
    for strength, trainer in zip((0.0, 1e4), trainers, strict=True):
        build(options={"strength": strength}).apply(tiny(), ["north"], trainer)
    rows = [trainer.standing.log[-1] for trainer in trainers if trainer.standing]
    assert rows[0]["fisher_distance"] > 2 * rows[1]["fisher_distance"] > 0
    assert rows[0]["fisher_utterances"] == 24


def test_examples_of_the_loop_are_those_of_the_rows() -> None:
    """What these tests give the loop instead of decoded recordings."""
    (example,) = loop_trainer().examples([1])
    assert isinstance(example, Example)
    assert (example.utterance_id, example.turns[0].text, len(example.samples)) == ("u1", "wordword", 1600)
