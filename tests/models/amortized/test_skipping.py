"""Skipping is real: what is off is never touched, costs nothing and fills no cache; outputs are those of masking."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.transformer import TransformerSizes
from earmark.models._blocks.transformer_encoder import TransformerEncoder
from earmark.models.amortized.arbitrators import ArbitratorSizes
from earmark.models.amortized.model import Options, deciders

SIZES = TransformerSizes(stack=6, stem=3, width=20, blocks=4, heads=4, ffn=24)
FRAME, JOINT, N = 12, 8, 30
WAYS: dict[str, dict[str, Any]] = {
    "single": {},
    "dual": {"arbitrator": "dual"},
    "ff": {"network": "ff"},
    "query": {"which": "query", "ffn": False},
    "key": {"which": "key"},
    "ffn": {"which": "none"},
    "random": {"gates": "random"},
    "pruned": {"never": "ffn:0, block:2"},
    "pruned, dual": {"never": "ffn:0, block:2", "arbitrator": "dual"},
    "static": {"gates": "static", "off": "ffn, query:1, block:2"},
    "dense": {"gates": "dense"},
}
CUTS = [list(range(1, N)), [], [3, 4, 11, 25]]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def encoder(way: str = "single", context: int = 1000, **options: Any) -> TransformerEncoder:
    """Random weights; arbitrators of strong and mixed opinions."""
    torch.manual_seed(0)
    chosen = Options(**{**WAYS[way], **options})
    who = deciders(chosen, SIZES, ArbitratorSizes(6, 8), FRAME)
    model = TransformerEncoder(FRAME, SIZES, JOINT, dropout=0.1, context=context, deciders=who)
    for decider in who:
        if isinstance(output := getattr(decider, "output", None), nn.Module):
            for parameter in output.parameters():
                nn.init.normal_(parameter, std=3.0)
    return model.eval()


def stream(model: TransformerEncoder, x: Tensor, cuts: list[int]) -> tuple[Tensor, list[Any]]:
    with torch.inference_mode():
        state, outputs = model.start(len(x)), []
        for part in x.tensor_split(cuts, dim=1):
            y, state = model.step(part, state)
            outputs.append(y)
        return torch.cat(outputs, dim=1), state


def gates_of(model: TransformerEncoder, x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Query (T, H), key (T, H) and feed-forward (T,) of each block of one recording, as masking sees them."""
    for found in model.masked(x, torch.tensor([x.shape[1]]))[1]:
        for i in range(found.n_blocks):
            block = found.block(i)
            yield block.query[0].detach(), block.key[0].detach(), block.ffn[0].detach()


@pytest.mark.parametrize("context", [1000, 5])
@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("way", WAYS)
def test_skipping_gives_what_masking_gives(way: str, cuts: list[int], context: int) -> None:
    model, x = encoder(way, context), noise(2, N, FRAME)
    masked = model.masked(x, torch.tensor([N, N]))[0].detach()
    torch.testing.assert_close(stream(model, x, cuts)[0], masked, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("way", ["single", "dual", "random"])
def test_rows_of_a_batch_are_skipped_by_themselves_and_padding_is_never_heard(way: str) -> None:
    model, x, lengths = encoder(way), noise(2, N, FRAME), torch.tensor([N, 17])
    x[1, 17:] = float("nan")
    with torch.inference_mode():
        encoded = model(x, lengths)
    for row, n in enumerate(lengths.tolist()):
        torch.testing.assert_close(encoded[row, :n], stream(model, x[row : row + 1, :n], [])[0][0])


@pytest.mark.parametrize("way", WAYS)
def test_later_frames_change_no_bit_of_what_went_before(way: str) -> None:
    """Nor of its gates: they depend on what was heard so far."""
    model, x = encoder(way), noise(1, N, FRAME)
    changed = torch.cat([x[:, :18], 9.0 * noise(1, N - 18, FRAME, seed=1)], dim=1)
    lengths = torch.tensor([N])
    assert torch.equal(model.masked(x, lengths)[0][:, :18], model.masked(changed, lengths)[0][:, :18])
    assert not torch.equal(model.masked(x, lengths)[0][:, 18:], model.masked(changed, lengths)[0][:, 18:])
    for before, after in zip(gates_of(model, x), gates_of(model, changed), strict=True):
        assert all(torch.equal(a[:18], b[:18]) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("way", ["single", "static"])
def test_all_on_is_the_dense_model(way: str) -> None:
    few = encoder(way, off="") if way == "static" else encoder(way)
    for decider in few.deciders:
        if hasattr(decider, "output"):
            nn.init.constant_(decider.output.bias, 100.0)  # type: ignore[union-attr,arg-type]
    dense, x = encoder("dense"), noise(1, N, FRAME)
    dense.load_state_dict(few.state_dict(), strict=False)
    expected, dense_state = stream(dense, x, [7])
    found, state = stream(few, x, [7])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(few.masked(x, torch.tensor([N]))[0], expected, rtol=1e-5, atol=1e-5)
    assert few.dense_work(state) | {"arbitrator": 0} == dense.work(dense_state) | {"arbitrator": 0}
    assert sum(few.work(state).values()) - few.work(state).get("arbitrator", 0) == sum(dense.work(dense_state).values())


def poison(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.constant_(parameter, float("nan"))


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("way", ["static", "pruned", "pruned, dual"])
def test_weights_of_what_is_off_are_never_touched(way: str, cuts: list[int]) -> None:
    """A block that is off for good, a feed-forward module, and single heads; masking would spread the NaN."""
    off = "ffn:0, block:2, query:3"
    model, x = encoder(way, off=off, never=off), noise(1, N, FRAME)
    expected = stream(model, x, cuts)[0]
    poison(model.blocks[0].ffn)  # type: ignore[union-attr,arg-type]
    poison(model.blocks[2])
    poison(model.blocks[3].attention.query)  # type: ignore[union-attr,arg-type]
    assert torch.equal(stream(model, x, cuts)[0], expected)
    assert bool(model.masked(x, torch.tensor([N]))[0].isnan().any())


@pytest.mark.parametrize("cuts", CUTS)
def test_weights_of_a_head_that_is_off_are_never_touched(cuts: list[int]) -> None:
    model, x = encoder(), noise(1, N, FRAME)
    bias = model.deciders[0].output.bias  # type: ignore[union-attr]
    with torch.no_grad():
        bias[: SIZES.blocks * SIZES.heads][5] = -1e6  # type: ignore[index]
        bias[SIZES.blocks * SIZES.heads :][5] = -1e6  # type: ignore[index]
    expected = stream(model, x, cuts)[0]
    attention, head = model.each[1].attention, SIZES.width // SIZES.heads
    with torch.no_grad():
        attention.query.weight[head : 2 * head] = float("nan")
        attention.key_value.weight[2 * head : 4 * head] = float("nan")
        attention.output[head : 2 * head] = float("nan")
    assert torch.equal(stream(model, x, cuts)[0], expected)


@pytest.mark.parametrize("way", WAYS)
def test_work_is_what_a_count_by_hand_gives(way: str) -> None:
    """Frame by frame: a query that is on costs its projections and a cell for each key on so far, and so on."""
    model, x = encoder(way), noise(1, N, FRAME)
    head, expected = SIZES.width // SIZES.heads, {"query": 0, "key": 0, "attention": 0, "ffn": 0}
    blocks = list(gates_of(model, x)) or [(torch.ones(N, 4), torch.ones(N, 4), torch.ones(N))] * SIZES.blocks
    for query, key, ffn in blocks:
        expected["ffn"] += int(ffn.sum()) * 2 * SIZES.width * SIZES.ffn
        for h in range(SIZES.heads):
            for t in range(N):
                seen = int(key[: t + 1, h].sum())
                expected["key"] += int(key[t, h]) * 2 * SIZES.width * head
                if query[t, h] and seen:  # with no key in sight there is nothing to ask
                    expected["query"] += 2 * SIZES.width * head
                    expected["attention"] += 2 * seen * head
    _, state = stream(model, x, list(range(1, N)))
    work = model.work(state)
    assert {part: work[part] for part in expected} == expected
    assert model.macs_by_part(N) == {part: n for part, n in model.dense_work(state).items() if part != "arbitrator"}


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("way", WAYS)
def test_work_is_what_is_counted(way: str, cuts: list[int]) -> None:
    model, x = encoder(way), noise(1, N, FRAME)
    found: list[Any] = []
    counted = count_macs(lambda: found.append(stream(model, x, cuts)[1]))
    assert counted.uncounted == ()
    assert counted.macs == sum(model.work(found[0]).values())


def test_caches_hold_keys_that_are_on_and_no_others() -> None:
    model, x = encoder(), noise(1, N, FRAME)
    _, (state,) = stream(model, x, [4, 9])
    rates = model.probes([state])
    for i, (query, key, ffn) in enumerate(gates_of(model, x)):
        held = [list(cache.held) for cache in state.caches[i]]
        assert held == [key[:, h].nonzero()[:, 0].tolist() for h in range(SIZES.heads)]
        assert rates[f"gate_rate_query_{i}"] == pytest.approx(float(query.detach().mean()))
        assert rates[f"gate_rate_key_{i}"] == pytest.approx(float(key.mean()))
        assert rates[f"gate_rate_ffn_{i}"] == pytest.approx(float(ffn.mean()))
        assert rates[f"keys_held_{i}"] == sum(map(len, held))


def ccr(threshold: float) -> float:
    model = encoder(threshold=threshold)
    _, state = stream(model, noise(1, N, FRAME), [10])
    return 1.0 - sum(model.work(state).values()) / sum(model.dense_work(state).values())


def test_a_higher_threshold_saves_more() -> None:
    saved = [ccr(threshold) for threshold in (0.01, 0.2, 0.5, 0.8, 0.99)]
    assert all(a < b for a, b in pairwise(saved))


def test_random_gates_keep_their_rates_and_know_no_chunks() -> None:
    model, x = encoder("random", query_rate=0.2, key_rate=0.9, ffn_rate=0.5), noise(1, 400, FRAME)
    one_by_one, state = stream(model, x, list(range(1, 400)))
    torch.testing.assert_close(one_by_one, stream(model, x, [])[0], rtol=1e-5, atol=1e-5)
    rates = model.probes(state)
    for gate, rate in {"query": 0.2, "key": 0.9, "ffn": 0.5}.items():
        found = [value for name, value in rates.items() if name.startswith(f"gate_rate_{gate}_")]
        assert sum(found) / len(found) == pytest.approx(rate, abs=0.04)


def test_random_gates_of_single_blocks_have_their_own_rates() -> None:
    model = encoder("random", query_rate=0.5, rates="query:1=1, ffn:0=0")
    rates = model.probes(stream(model, noise(1, 400, FRAME), [])[1])
    assert rates["gate_rate_query_1"] == 1.0
    assert rates["gate_rate_ffn_0"] == 0.0
    assert rates["gate_rate_query_0"] == pytest.approx(0.5, abs=0.04)
