"""The game between learner and adversary, on a learner that is a table of embeddings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from earmark.bench.api import InputError, Losses, Progress, Unsupported
from earmark.bench.contract.standins import StandIn, StandInTrainer
from earmark.fairness.adversarial_reweighting.method import build
from earmark.fairness.adversarial_reweighting.objective import Reweighting
from earmark.fairness.adversarial_reweighting.options import Options

N, DIM = 16, 6
STEP = Progress(5, 10)
FORMS = ("similarity", "pseudo_labels", "pairs")


class Table(nn.Module):
    """Recordings are rows of a parameter; two of each speaker. The last quarter of the speakers are hard to tell."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        centers = torch.randn(N // 2, DIM) * 3
        centers[-N // 8 :] = 3.0
        self.rows = nn.Parameter(centers.repeat_interleave(2, 0) + 0.5 * torch.randn(N, DIM))
        self.speakers = torch.arange(N) // 2

    def embeddings(self, batch: Any) -> tuple[Tensor, Tensor]:
        return self.rows, self.speakers

    def pair_loss(self, embeddings: Tensor, speakers: Tensor, pair_weights: Tensor | None) -> Losses:
        """Each recording is to find the other of its speaker; pairs weigh as in the mean of weighted losses."""
        unit = normalize(embeddings, dim=1)
        logits = (5 * unit @ unit.T).fill_diagonal_(-1e9)
        other = torch.arange(N) ^ 1
        items = cross_entropy(logits, other, reduction="none")
        weights = torch.ones(N) if pair_weights is None else pair_weights[torch.arange(N), other]
        return Losses({"pairs": (weights * items).mean()}, items.detach())


def game(form: str = "pairs", **options: Any) -> Reweighting:
    chosen = Options(form=form, regions=3, **{"warm_up": 0.0, **options})
    return Reweighting(Table(), chosen, dim=DIM, device=torch.device("cpu"))  # type: ignore[arg-type]


def played(one: Reweighting, steps: int, lr: float = 0.0) -> list[float]:
    """Losses of so many rounds, the learner going down by ``lr``."""
    found = []
    for step in range(steps):
        progress = Progress(step, steps)
        total = one.losses(None, progress).terms["pairs"]
        one.model.rows.grad = None
        total.backward()
        with torch.no_grad():
            one.model.rows -= lr * one.model.rows.grad
        one.after_step(None, progress)
        found.append(float(total.detach()))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_side_changes_its_own_parameters_alone(form: str) -> None:
    one = game(form)
    before = {name: tensor.clone() for name, tensor in one.adversary.state_dict().items()}
    one.losses(None, STEP).terms["pairs"].backward()
    assert one.model.rows.grad is not None
    assert all(parameter.grad is None for parameter in one.adversary.parameters())
    kept, gradient = one.model.rows.detach().clone(), one.model.rows.grad.clone()
    one.after_step(None, STEP)
    assert torch.equal(one.model.rows, kept)
    assert torch.equal(one.model.rows.grad, gradient)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in one.adversary.state_dict().items())


@pytest.mark.parametrize("form", FORMS)
def test_the_adversary_raises_the_loss_and_attends_to_what_is_lost(form: str) -> None:
    one = game(form)
    losses = played(one, 60)  # the learner stands still
    assert losses[-1] > losses[0] + 0.01
    found = one.losses(None, STEP)
    assert found.weights is not None
    assert found.items is not None
    assert float(torch.corrcoef(torch.stack([found.weights, found.items]))[0, 1]) > 0.5
    assert float(found.weights.mean()) == pytest.approx(2.0, rel=1e-5)


def test_equal_weights_give_the_direction_of_no_weights() -> None:
    one = game("uniform")
    one.losses(None, STEP).terms["pairs"].backward()
    weighted = one.model.rows.grad.clone()
    one.model.rows.grad = None
    one.model.pair_loss(*one.model.embeddings(None), None).terms["pairs"].backward()
    torch.testing.assert_close(weighted, 4.0 * one.model.rows.grad)  # W_ij = 2 + 2
    assert one.after_step(None, STEP) == {"weight_std": 0.0}


def test_while_it_waits_weights_are_equal_and_the_adversary_stays_as_it_is() -> None:
    one = game("pairs", warm_up=0.5)
    before = [parameter.clone() for parameter in one.adversary.parameters()]
    early = one.losses(None, Progress(4, 10))
    one.after_step(None, Progress(4, 10))
    assert early.weights is not None
    assert torch.equal(early.weights, torch.full((N,), 2.0))
    assert all(torch.equal(a, b) for a, b in zip(before, one.adversary.parameters(), strict=True))
    assert float(one.losses(None, Progress(5, 10)).weights.std()) > 0


@pytest.mark.parametrize("form", FORMS)
def test_a_game_that_is_taken_up_goes_on_as_if_it_had_never_stopped(form: str) -> None:
    whole, stopped = game(form, renew=2), game(form, renew=2)
    played(whole, 4), played(stopped, 4)
    other = game(form, renew=2, seed=9)
    other.restore({name: tensor.clone() for name, tensor in stopped.state().items()})
    assert played(other, 6) == played(whole, 6)


def test_it_is_a_repair_of_models_that_learn_from_pairs() -> None:
    repaired = build(options={"form": "pairs", "regions": 2}).apply(StandIn(), [], StandInTrainer())
    assert repaired.conditions is None

    class Lacking(StandIn):
        pair_loss = None  # type: ignore[assignment]

    with pytest.raises(Unsupported, match=r"no pair_loss\(\)"):
        build(options={}).apply(Lacking(), [], StandInTrainer())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"form": "peers"}, "similarity, pseudo_labels"), ({"regions": 1}, "regions"), ({"warmup": 0.1}, "warm_up")],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(options=options)
