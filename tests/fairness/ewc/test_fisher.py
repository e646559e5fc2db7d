"""The Fisher information: of single utterances, of the log-likelihood, of the population."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from repairs import Logistic, Quadratic, ToyTrainer

from earmark.bench.api import Example, Losses, Progress, Turn
from earmark.fairness.ewc.fisher import diagonal_fisher, population
from earmark.models.rnnt.model import build as rnnt


def logistic_trainer() -> ToyTrainer:
    return ToyTrainer([[1.0], [1.0], [2.0], [2.0]], ["1", "0", "1", "0"], ["north"] * 4)


def test_squares_of_single_gradients_are_averaged() -> None:
    """w = 0 and (x, y) = (1, 1), (1, 0), (2, 1), (2, 0): (p - y) x is -1/2, 1/2, -1, 1, so F = 5/8."""
    found = diagonal_fisher(Logistic(), logistic_trainer(), range(4), ["w"])
    assert float(found["w"]) == 0.625
    model, trainer = Logistic(), logistic_trainer()
    whole = model.loss(model.collate([*trainer.examples()], np.random.default_rng(0)), Progress(0, 1)).terms["entropy"]
    (gradient,) = torch.autograd.grad(whole, [model.w])
    assert float(gradient) ** 2 == 0.0


def test_it_is_that_of_the_named_weights_and_none_is_below_zero() -> None:
    """(theta - x)^2 a^2 on average: ((1)^2 + (3)^2) / 2 = 5 for u, 4 ((2)^2 + 0) / 2 = 8 for v."""
    trainer = ToyTrainer([[1.0, 2.0], [-3.0, 0.0], [9.0, 9.0]], ["0"] * 3, ["north"] * 3)
    assert diagonal_fisher(Quadratic(), trainer, [0, 1], ["u", "v"]) == {"u": 5.0, "v": 8.0}
    assert diagonal_fisher(Quadratic(), trainer, [0], ["v"]) == {"v": 16.0}


def test_the_model_rests_and_keeps_its_mode() -> None:
    modes = []

    class Watched(Logistic):
        def loss(self, batch: Any, progress: Progress) -> Losses:
            modes.append(self.training)
            return super().loss(batch, progress)

    model = Watched().train()
    diagonal_fisher(model, logistic_trainer(), [0], ["w"])
    assert modes == [False]
    assert model.training


def test_a_likelihood_of_its_own_is_preferred_to_the_loss() -> None:
    """A loss that is a mean over labels, here over 3 of them, has a ninth of the squares."""

    class PerLabel(Logistic):
        def loss(self, batch: Any, progress: Progress) -> Losses:
            return Losses({"mean": super().loss(batch, progress).terms["entropy"] / 3, "more": 5 * self.w})

    class Gives(PerLabel):
        def log_likelihood(self, batch: Any) -> torch.Tensor:
            return -3 * super().loss(batch, Progress(0, 1)).terms["mean"][None]

    assert float(diagonal_fisher(Gives(), logistic_trainer(), range(4), ["w"])["w"]) == pytest.approx(0.625)
    assert float(diagonal_fisher(PerLabel(), logistic_trainer(), [0], ["w"])["w"]) == pytest.approx((5 - 1 / 6) ** 2)


def test_of_a_transducer_it_is_that_of_its_alignments_summed() -> None:
    """Not of the mean over labels, nor of CTC, whose layer has none."""
    model = rnnt("tiny", options={}, vocabulary=[" a", "b"], seed=0, device="cpu")
    rng = np.random.default_rng(0)
    samples = [0.1 * rng.standard_normal(4000) for _ in range(2)]
    trainer = ToyTrainer([row.tolist() for row in samples], ["ab ab", "a"], ["north"] * 2)
    found = diagonal_fisher(model, trainer, [0, 1], ["joint.output.bias", "aligner.bias"])
    squares = []
    for row, text, n_labels in zip(samples, ("ab ab", "a"), (4, 1), strict=True):
        example = Example("u", row.astype(np.float32), (Turn(text, 0.0, 1.0),))
        loss = model.loss(model.collate([example], rng), Progress(0, 1)).terms["transducer"]
        (gradient,) = torch.autograd.grad(loss, [model.joint.output.bias])
        squares.append((n_labels * gradient) ** 2)
    torch.testing.assert_close(found["joint.output.bias"], (squares[0] + squares[1]) / 2)
    assert not found["aligner.bias"].any()


def test_the_population_is_drawn_evenly_and_by_the_seed() -> None:
    drawn = population(10_000, 500, 0)
    assert len(set(drawn)) == 500
    assert population(10_000, 500, 0) == drawn != population(10_000, 500, 1)
    assert np.mean(drawn) == pytest.approx(5000, abs=4 * 10_000 / (12 * 500) ** 0.5)
    assert population(64, 500, 3) == [*range(64)]
