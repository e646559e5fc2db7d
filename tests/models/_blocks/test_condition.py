"""The condition of a transducer: nothing at first, heard alike in every form, refused where it doesn't fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earmark.bench.api import Condition, Example, InputError, Progress, Turn
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.condition import ConditionInput, read_conditions
from earmark.models._blocks.recognizer import Transducer
from earmark.models.convrnnt.model import build as convrnnt
from earmark.models.rnnt.model import build as rnnt

BOTTOM, OTHER = (1.0, 0.0), (0.0, 1.0)
BUILDERS = [pytest.param(rnnt, id="rnnt"), pytest.param(convrnnt, id="convrnnt")]
Build = Callable[..., Transducer]


def speech(n: int = 16_000, seed: int = 0) -> np.ndarray:
    t = np.arange(n) / 16_000
    sound = np.sin(2 * np.pi * (300 + 200 * np.sin(7 * t)) * t)
    noise = np.random.default_rng(seed).standard_normal(n)
    return np.asarray(0.2 * (sound + 0.3 * noise) * np.sin(2 * t) ** 2, dtype=np.float32)


def plain(build: Build = rnnt, **options: int) -> Transducer:
    """A model that says something about anything."""
    model = build("tiny", options=options, vocabulary=[" a", "b", " c"], seed=0, device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for weight in (model.joint.output.weight, model.encoder.output.weight, model.predictor.output.weight):
            nn.init.normal_(weight, std=2.0)
        nn.init.normal_(model.encoder.lstm.layers[0].lstm.weight_input, std=0.5)
    return model


def conditioned(build: Build = rnnt, scale: float = 3.0) -> Transducer:
    """The same, and its projection is one that makes a difference."""
    model = plain(build).with_condition(2)
    assert model.condition is not None
    with torch.no_grad():
        model.condition.weight.copy_(scale * torch.randn(2, 384, generator=torch.Generator().manual_seed(0)))
    return model


def said(model: Transducer, condition: Condition | None = None, chunk: int = 16_000) -> list[tuple[str, float | None]]:
    samples, stream = speech(), model.stream(condition)
    tokens = [t for i in range(0, len(samples), chunk) for t in stream.accept(samples[i : i + chunk]).final]
    return [(token.text, token.audio_s) for token in (*tokens, *stream.finish().final)]


def losses(model: Transducer, condition: Condition | None) -> Tensor:
    example = Example("u", speech(), (Turn("ab c", 0.0, 1.0),), condition)
    return torch.stack(
        [*model.loss(model.collate([example], np.random.default_rng(0)), Progress(9, 10)).terms.values()]
    )


@pytest.mark.parametrize("build", BUILDERS)
def test_a_new_condition_changes_no_bit_of_any_output(build: Build) -> None:
    model = plain(build)
    wide = model.with_condition(2)
    for condition in (None, BOTTOM, OTHER):
        assert said(wide, condition) == said(model) != []
        assert torch.equal(losses(wide, condition), losses(model, None))
    assert wide.transcribe([speech()], [BOTTOM]) == model.transcribe([speech()])
    assert model.condition is None


@pytest.mark.parametrize("build", BUILDERS)
def test_stream_batch_and_training_hear_the_same_condition(build: Build) -> None:
    model = conditioned(build)
    offline = model.transcribe([speech()] * 3, [BOTTOM, OTHER, None])
    for condition, tokens in zip((BOTTOM, OTHER, None), offline, strict=True):
        whole = said(model, condition)
        assert [token.text for token in tokens] == [text for text, _ in whole]
        assert said(model, condition, 500) == said(model, condition, 1777) == whole
    assert len({tuple(token.text for token in tokens) for tokens in offline}) == 3
    assert len({float(losses(model, condition).sum().detach()) for condition in (BOTTOM, OTHER, None)}) == 3


def test_no_condition_is_one_of_zeros() -> None:
    model = conditioned()
    assert said(model) == said(model, (0.0, 0.0)) == said(plain())
    assert model.transcribe([speech()]) == plain().transcribe([speech()])
    assert torch.equal(losses(model, None), losses(plain(), None))


def test_the_condition_of_a_recording_is_not_that_of_its_neighbor() -> None:
    model, rng = conditioned(), np.random.default_rng(0)
    first = Example("u", speech(), (Turn("ab", 0.0, 1.0),), BOTTOM)
    second = replace(first, samples=speech(12_000, 1), condition=OTHER)
    both = model.log_likelihood(model.collate([first, second], rng))
    alone = torch.cat([model.log_likelihood(model.collate([example], rng)) for example in (first, second)])
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-4)


def test_the_projection_is_a_part_that_learns() -> None:
    model = plain().with_condition(2)
    assert model.parts()["condition"] == ["condition.weight"]
    losses(model, BOTTOM).sum().backward()
    assert model.condition is not None
    assert model.condition.weight.grad is not None
    assert bool(model.condition.weight.grad[0].all())
    assert not bool(model.condition.weight.grad[1].any())


@pytest.mark.parametrize("build", BUILDERS)
def test_a_model_built_with_the_option_takes_the_weights_of_a_repaired_one(build: Build) -> None:
    repaired = conditioned(build)
    rebuilt = build("tiny", options={"condition": 2}, vocabulary=[" a", "b", " c"], seed=5, device="cpu")
    rebuilt.load_state_dict(repaired.state_dict())
    assert rebuilt.config() == repaired.config()
    assert said(rebuilt, BOTTOM) == said(repaired, BOTTOM)


@pytest.mark.parametrize("build", BUILDERS)
def test_without_the_option_weights_are_what_they_were(build: Build) -> None:
    none, two = (
        build("tiny", options=options, vocabulary=None, seed=0, device="cpu") for options in ({}, {"condition": 2})
    )
    assert set(two.state_dict()) - set(none.state_dict()) == {"condition.weight"}
    assert all(torch.equal(tensor, two.state_dict()[name]) for name, tensor in none.state_dict().items())


def test_its_work_is_counted_once_a_recording() -> None:
    model = conditioned()
    stream = None

    def run() -> None:
        nonlocal stream
        stream = model.stream(BOTTOM)
        for part in np.split(speech(), 8):
            stream.accept(part)
        stream.finish()

    counted = count_macs(run)
    assert stream is not None
    assert stream.work()["condition"] == 2 * 384
    assert sum(stream.work().values()) == counted.macs
    assert "condition" not in plain().stream().work()


@pytest.mark.parametrize("condition", [(), (1.0,), (1.0, 0.0, 0.0), (1.0, float("nan"))])
def test_a_condition_that_does_not_fit_is_refused_everywhere(condition: Condition) -> None:
    model = conditioned()
    for use in (model.stream, lambda c: model.transcribe([speech()], [c]), lambda c: losses(model, c)):
        with pytest.raises(InputError, match="condition"):
            use(condition)
    with pytest.raises(InputError, match="2 numbers for a model that takes none"):
        plain().stream(BOTTOM)
    with pytest.raises(InputError, match="1 conditions for 2 recordings"):
        model.transcribe([speech(), speech()], [BOTTOM])


def test_a_second_condition_and_one_of_no_size_are_refused() -> None:
    with pytest.raises(InputError, match="takes a condition of 2"):
        conditioned().with_condition(3)
    with pytest.raises(InputError, match="of 0 numbers"):
        plain().with_condition(0)
    with pytest.raises(InputError, match="give 0 to 1024"):
        plain(condition=-1)


def test_the_same_projection_is_added_to_every_frame() -> None:
    layer = ConditionInput(2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]))
    added = layer(torch.zeros(2, 4, 3), torch.tensor([[1.0, 0.0], [2.0, 1.0]]))
    assert added[:, 0].tolist() == [[1.0, 2.0, 3.0], [12.0, 24.0, 36.0]]
    assert torch.equal(added, added[:, :1].expand(2, 4, 3))
    assert read_conditions([None, BOTTOM], layer, plugin="unit").tolist() == [[0.0, 0.0], [1.0, 0.0]]  # type: ignore[union-attr]
