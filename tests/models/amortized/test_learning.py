"""How gates are learned: the schedule, the cost that is learned from, and that the dial works."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from earmark.bench.api import Example, Progress, Turn
from earmark.models._blocks.transformer import TransformerSizes
from earmark.models._blocks.transformer_encoder import TransformerEncoder
from earmark.models.amortized.arbitrators import ArbitratorSizes, Scope
from earmark.models.amortized.controls import ModuleDropout
from earmark.models.amortized.learning import AmortizedTransducer, Schedule, cost_share
from earmark.models.amortized.model import Options, build, deciders

SCHEDULE = Schedule(dense=0.6, target=0.35, pressure=5.0, beta=2.0, estimator="gumbel")
SIZES = TransformerSizes(stack=6, width=16, blocks=2, heads=2, ffn=16)


def model(**options: Any) -> AmortizedTransducer:
    made = build(
        "tiny", options={"alignment": 0.0, "ctc": 0.0, **options}, vocabulary=["a", " a"], seed=0, device="cpu"
    )
    return made.train()


def batch(made: AmortizedTransducer) -> Any:
    rng = np.random.default_rng(0)
    sounds = [0.1 * rng.standard_normal(n).astype(np.float32) for n in (6_000, 9_000)]
    return made.collate([Example(str(i), s, (Turn("a a", 0.0, 0.5),)) for i, s in enumerate(sounds)], rng)


def said(made: AmortizedTransducer, heard: Any, step: int) -> float:
    return float(made.loss(heard, Progress(step, 100)).terms["transducer"].detach())


def test_the_schedule_by_share_of_steps() -> None:
    assert [round(SCHEDULE.share(Progress(step, 100)), 6) for step in (0, 60, 80, 100)] == [-1.5, 0.0, 0.5, 1.0]
    first, middle, last = (SCHEDULE.at(share) for share in (0.0, 0.25, 1.0))
    assert (first.target, last.target, middle.target) == pytest.approx((1.0, 0.35, 0.675))
    assert (first.beta, last.beta) == pytest.approx((0.4, 2.0))  # the paper's 1e-8 to 5e-8
    assert (first.temperature, last.temperature) == pytest.approx((1.0, 1e-5))
    assert (first.contribution, last.contribution) == (0.0, 1.0)


def test_everything_is_on_before_gates_are_learned() -> None:
    """No cost, no gradient to the arbitrator, and the loss of the dense model with the same weights."""
    made, dense = model(dropout=0.0), model(gates="dense", dropout=0.0)
    dense.load_state_dict(made.state_dict(), strict=False)
    heard = batch(made)
    losses = made.loss(heard, Progress(59, 100))
    assert set(losses.terms) == {"transducer"}
    torch.testing.assert_close(losses.terms["transducer"], dense.loss(heard, Progress(59, 100)).terms["transducer"])
    losses.terms["transducer"].backward()
    assert all(p.grad is None for p in made.encoder.deciders.parameters())


def test_modules_are_left_out_of_whole_recordings_a_head_s_queries_with_its_keys() -> None:
    torch.manual_seed(0)
    gates = ModuleDropout(Scope(3, 4), rate=0.25)(torch.zeros(400, 7, 5))
    assert torch.equal(gates.query, gates.key)
    for gate in (gates.query, gates.ffn):
        assert torch.equal(gate, gate[:, :1].expand_as(gate))
        per_module = gate[:, 0].mean(dim=0)
        assert bool(((per_module - 0.75).abs() < 4 * math.sqrt(0.25 * 0.75 / 400)).all())
    assert len(gates.ffn[:, 0].unique(dim=0)) == 2**3  # blocks are drawn one by one


def test_modules_are_left_out_only_while_a_dense_model_is_taught() -> None:
    whole, less = (model(gates="dense", dropout=0.0, module_dropout=rate) for rate in (0.0, 0.9))
    less.load_state_dict(whole.state_dict())
    heard = batch(whole)
    assert said(whole, heard, 0) != pytest.approx(said(less, heard, 0))
    assert said(whole, heard, 0) == pytest.approx(said(less.eval(), heard, 0))
    gated, also = (model(dropout=0.0, module_dropout=rate) for rate in (0.0, 0.9))
    also.load_state_dict(gated.state_dict())
    assert said(gated, heard, 80) == pytest.approx(said(also, heard, 80))


@pytest.mark.parametrize("estimator", ["straight-through", "sampled", "gumbel"])
def test_then_arbitrators_learn_from_both_terms(estimator: str) -> None:
    for term in ("transducer", "compute"):
        made = model(estimator=estimator, beta=1.0)
        losses = made.loss(batch(made), Progress(80, 100))
        losses.terms[term].backward()
        grads = [p.grad for p in made.encoder.deciders.parameters()]
        assert all(grad is not None and bool(grad.isfinite().all()) for grad in grads)
        assert any(bool((grad != 0).any()) for grad in grads if grad is not None)


def test_a_later_training_never_goes_back() -> None:
    """A repair begins at step 0 of its own: it works on the model as it is used."""
    made = model()
    assert set(made.loss(batch(made), Progress(95, 100)).terms) == {"transducer", "compute"}
    reached = float(made.reached)
    assert set(made.loss(batch(made), Progress(0, 100)).terms) == {"transducer", "compute"}
    assert float(made.reached) == reached == pytest.approx(0.875)
    made.eval()
    made.loss(batch(made), Progress(99, 100))
    assert float(made.reached) == reached  # looking changes nothing


@pytest.mark.parametrize("gates", ["random", "static"])
def test_controls_have_nothing_to_pay(gates: str) -> None:
    made = model(gates=gates)
    assert set(made.loss(batch(made), Progress(80, 100)).terms) == {"transducer"}


def toy(**options: Any) -> TransformerEncoder:
    torch.manual_seed(0)
    who = deciders(Options(**options), SIZES, ArbitratorSizes(0, 8), 6)
    return TransformerEncoder(6, SIZES, 4, dropout=0.0, context=1000, deciders=who)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("way", [{}, {"arbitrator": "dual"}, {"network": "ff", "which": "key"}, {"which": "none"}])
def test_the_cost_is_what_a_count_by_hand_gives(way: dict[str, Any]) -> None:
    """Over a padded batch: projections of what is on, a cell for each query and each key so far, feed-forwards."""
    encoder, x, lengths = toy(**way), noise(2, 20, 6), torch.tensor([20, 13])
    for decider in encoder.deciders:
        torch.nn.init.normal_(decider.output.weight, std=3.0)  # type: ignore[union-attr,arg-type]
    gates = encoder.masked(x, lengths)[1]
    head = SIZES.width // SIZES.heads
    always = 33 * (encoder.stem.macs(1) + encoder.output.macs(1))
    spent = always + sum(decider.macs(33) for decider in encoder.deciders)  # type: ignore[operator]
    for found in gates:
        for row, n in enumerate(lengths.tolist()):
            for i in range(found.n_blocks):
                query, key = found.query[row, :n, i] > 0, found.key[row, :n, i] > 0
                cells = sum(int(key[: t + 1, h].sum()) for t in range(n) for h in range(SIZES.heads) if query[t, h])
                spent += 2 * SIZES.width * head * int(query.sum() + key.sum()) + 2 * head * cells
                spent += 2 * SIZES.width * SIZES.ffn * int((found.ffn[row, :n, i] > 0).sum())
    dense = sum(sum(encoder.macs_by_part(n).values()) for n in lengths.tolist())
    assert float(cost_share(encoder, gates, lengths).detach()) == pytest.approx(spent / dense)


def test_everything_on_costs_one_and_the_arbitrator() -> None:
    encoder, x, lengths = toy(), noise(1, 20, 6), torch.tensor([20])
    torch.nn.init.constant_(encoder.deciders[0].output.bias, 50.0)  # type: ignore[union-attr,arg-type]
    arbitrator, dense = encoder.deciders[0].macs(20), sum(encoder.macs_by_part(20).values())  # type: ignore[operator]
    gates = encoder.masked(x, lengths)[1]
    assert float(cost_share(encoder, gates, lengths).detach()) == pytest.approx(1.0 + arbitrator / dense)


def test_padding_costs_nothing() -> None:
    encoder, x, lengths = toy(), noise(2, 20, 6), torch.tensor([20, 9])
    costs = []
    for filling in (0.0, 30.0):
        x[1, 9:] = filling
        costs.append(float(cost_share(encoder, encoder.masked(x, lengths)[1], lengths).detach()))
    assert costs[0] == costs[1]


def learned(beta: float, seed: int) -> float:
    """Share of gates on after a toy is taught to give back a frame it heard, at this price of computing."""
    torch.manual_seed(seed)
    encoder, schedule = toy(), replace(SCHEDULE, target=1.0, beta=beta, estimator="straight-through")
    for parameter in encoder.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=5e-3)
    for step in range(150):
        x = torch.randn(8, 12, 6)
        encoded, gates = encoder.masked(x, torch.full((8,), 12), schedule.at(step / 150))
        error = (encoded - x[..., :4].roll(1, dims=1)).square()[:, 1:].mean()
        loss = error + schedule.at(step / 150).beta * cost_share(encoder, gates, torch.full((8,), 12))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    on = [
        tensor
        for found in encoder.eval().masked(x, torch.full((8,), 12))[1]
        for tensor in (found.query, found.key, found.ffn)
    ]
    return float(torch.cat([tensor.detach().flatten() for tensor in on]).mean())


@pytest.mark.slow
def test_computing_that_costs_more_is_done_less() -> None:
    """The trend over three seeds."""
    rates = [np.mean([learned(beta, seed) for seed in range(3)]) for beta in (0.0, 1.0, 8.0)]
    assert rates[0] > rates[1] > rates[2]
    assert rates[0] - rates[2] > 0.2


def test_blind_gates_learn_under_the_cost_and_are_the_same_in_every_frame() -> None:
    made = model(gates="blind", dense_share=0.0)
    losses = made.loss(batch(made), Progress(90, 100))
    losses.terms["compute"].backward()
    (logits,) = made.encoder.deciders.parameters()
    assert logits.grad is not None
    assert bool((logits.grad > 0).all())  # what is off costs less
    with torch.no_grad():
        logits[::2] = -1.0
    gates = made.eval().encoder.deciders[0](torch.zeros(1, 5, 6))
    assert bool((gates.query == gates.query[:, :1]).all())
    assert 0 < float(gates.query.sum()) < gates.query.numel()


def test_weights_are_kept_only_when_the_target_has_come_down() -> None:
    made = model()
    assert model(gates="dense").may_keep(Progress(0, 100))
    for step, kept in [(10, False), (70, False), (81, True), (99, True)]:
        made.loss(batch(made), Progress(step, 100))
        assert made.may_keep(Progress(step, 100)) is kept


def test_a_dense_model_that_gates_go_on_from_begins_their_schedule() -> None:
    """Nothing was decided in it, so no target was reached, however far its training went."""
    dense = model(gates="dense")
    dense.loss(batch(dense), Progress(99, 100))
    assert float(dense.reached) == 0.0


def test_what_decides_is_a_part_of_its_own() -> None:
    parts = model().parts()
    assert all(name.startswith("encoder.deciders.") for name in parts["arbitrator"])
    named = [name for names in parts.values() for name in names]
    assert sorted(named) == sorted(name for name, _ in model().named_parameters())
    assert "arbitrator" not in model(gates="random").parts()
