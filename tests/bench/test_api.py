"""The contract holds every family of plugin: each fake is accepted by type, and the data flow closes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from fakes import conversation, embedder, engine, finder, mitigations, recognizer

from earmark.bench.api import (
    SPLITS,
    Build,
    CohortFinder,
    CohortScheme,
    Conditionable,
    CountsWork,
    FairnessSpec,
    InputError,
    MetricLearner,
    Mitigation,
    ModelInfo,
    Objective,
    Probes,
    Progress,
    Recognizer,
    SpeakerEmbedder,
    Stream,
    Token,
    Trainable,
    Trainer,
    Transcribes,
    Update,
)
from earmark.bench.contract.standins import StandIn, StandInTrainer, outcome_rows, train_rows


def test_fakes_are_accepted_by_type() -> None:
    """mypy --strict checks the assignments; here they are at least made."""
    tiny, speaker, standin = recognizer.TinyRecognizer(), embedder.TinyEmbedder(), StandIn()
    builds: list[Build] = [recognizer.build, engine.build, embedder.build]
    recognizers: list[Recognizer] = [tiny, engine.LoudnessEngine(), conversation.TurnTaker(), standin]
    streams: list[Stream] = [model.stream() for model in recognizers]
    works: list[CountsWork] = [tiny.stream(None), speaker]
    probes: Probes = tiny.stream(None)
    offline: Transcribes = tiny
    trainables: list[Trainable[Any]] = [tiny, speaker, standin]
    conditionables: list[Conditionable] = [tiny, standin]
    embedders: list[SpeakerEmbedder] = [speaker, standin]
    learners: list[MetricLearner[Any]] = [speaker, standin]
    finders: list[CohortFinder] = [finder.HalvesFinder()]
    schemes: list[CohortScheme] = [finder.Halves(0.0)]
    objectives: list[Objective[Any]] = [mitigations.Anchored(tiny, {}, {}), mitigations.Adversary(speaker)]
    trainer: Trainer = StandInTrainer()
    repairs: list[Mitigation] = [mitigations.Oversampling(), mitigations.Ewc(), mitigations.CohortEmbedding()]
    models = [*recognizers, *trainables, *conditionables, *embedders, *learners, offline]
    assert None not in [*builds, *models, *streams, *works, probes, *finders, *schemes, *objectives, trainer, *repairs]


@pytest.mark.parametrize("make", [recognizer.TinyRecognizer, engine.LoudnessEngine, conversation.TurnTaker])
def test_optional_abilities_are_seen_at_run_time(make: Callable[[], Any]) -> None:
    model = make()
    tiny = make is recognizer.TinyRecognizer
    assert isinstance(model, Recognizer)
    assert not isinstance(model, SpeakerEmbedder)
    assert isinstance(model, Transcribes) == tiny
    assert isinstance(model.stream(), CountsWork) == isinstance(model.stream(), Probes) == tiny


def test_turns_of_a_conversation_alternate_between_channels() -> None:
    sound = np.repeat([0.5, 0, 0.3, 0, 0.2, 0], 3200).astype(np.float32)
    stream = conversation.TurnTaker().stream()
    tokens = [*stream.accept(sound).final, *stream.finish().final]
    assert [token.kind for token in tokens] == ["start_of_turn", "text", "end_of_turn"] * 3
    assert [token.channel for token in tokens[::3]] == [0, 1, 0]


def test_finder_data_flow_closes_through_json() -> None:
    scheme = finder.HalvesFinder().fit(outcome_rows("discover"), outcome_rows("select"), seed=0)
    rows = outcome_rows("measure")
    assert finder.HalvesFinder().load(scheme.to_json()).assign(rows) == scheme.assign(rows)
    assert len(set(scheme.assign(rows))) == 2


@pytest.mark.parametrize("method", [mitigations.Oversampling, mitigations.Ewc, mitigations.CohortEmbedding])
def test_repairs_of_recognizers_close(method: Callable[[], Mitigation]) -> None:
    model = recognizer.TinyRecognizer().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    repaired = method().apply(model, ["north"], StandInTrainer())
    assert isinstance(repaired.model, Recognizer)
    stream = repaired.model.stream(repaired.hidden)
    assert isinstance(stream.accept(np.ones(16_000, dtype=np.float32)), Update)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_adversarial_reweighting_closes_and_its_state_is_exact() -> None:
    model = embedder.TinyEmbedder()
    repaired = mitigations.AdversarialReweighting().apply(model, ["north"], StandInTrainer())
    assert isinstance(repaired.model, SpeakerEmbedder)
    assert not torch.equal(repaired.model.frame.weight, model.frame.weight)  # type: ignore[attr-defined]
    adversary = mitigations.Adversary(model)
    batch = model.collate([*StandInTrainer().examples(range(4))], np.random.default_rng(0))
    adversary.losses(batch, Progress(0, 2))
    saved = adversary.state()
    first = adversary.after_step(batch, Progress(0, 2))
    adversary.restore(saved)
    assert adversary.after_step(batch, Progress(0, 2)) == first


@pytest.mark.parametrize("model", [recognizer.TinyRecognizer(), StandIn()])
def test_a_condition_changes_nothing_before_training(model: Any) -> None:
    samples = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    plain, conditioned = model.eval().stream(), model.with_condition(2).stream((1.0, 0.0))
    assert (plain.accept(samples), plain.finish()) == (conditioned.accept(samples), conditioned.finish())


def test_the_standin_trainer_obeys_weights_and_frozen_parts() -> None:
    trainer, model = StandInTrainer(), StandIn()
    assert {"errors", "words"}.isdisjoint(train_rows().column_names)
    frozen = trainer.fit(model, frozen=["encoder"])
    assert torch.equal(frozen.encoder.weight, model.encoder.weight)
    assert not torch.equal(frozen.head.weight, model.head.weight)
    seen: list[str] = []
    cohorts = trainer.rows["cohort"].to_pylist()

    def watch(example: Any, rng: Any) -> Any:
        seen.append(cohorts[trainer.rows["utterance_id"].to_pylist().index(example.utterance_id)])
        return example

    trainer.fit(model, row_weights=[float(name == "north") for name in cohorts], transform=watch)
    assert set(seen) == {"north"}
    with pytest.raises(InputError, match="encodr"):
        trainer.fit(model, frozen=["encodr"])


def test_gradients_are_of_one_utterance_each() -> None:
    trainer, model = StandInTrainer(), StandIn()
    singles = list(trainer.gradients(model, [0, 1]))
    batch = model.collate([*trainer.examples([0, 1])], np.random.default_rng(0))
    model.loss(batch, Progress(0, 1)).terms["label"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        mean = (singles[0][name] + singles[1][name]) / 2  # the loss of two is the mean of their losses
        torch.testing.assert_close(parameter.grad, mean)


@pytest.mark.parametrize("record", [Token("a"), Update(), ModelInfo(16_000), Progress(0, 1)])
def test_records_are_frozen_and_slotted(record: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, dataclasses.fields(record)[0].name, None)
    assert not hasattr(record, "__dict__")


def test_an_input_error_says_what_where_and_how_to_mend_it() -> None:
    assert str(InputError("no speaker", where="row 3", fix="add one")) == "row 3: no speaker; add one"
    assert str(InputError("no speaker")) == "no speaker"


def test_splits_and_defaults_are_those_of_the_contract() -> None:
    assert SPLITS == ("train", "dev", "discover", "select", "measure")
    assert FairnessSpec("x", "finder", "m:b", "here", ("recognition",)).needs == frozenset()


def test_the_contract_imports_nothing_heavy() -> None:
    code = "import sys, earmark.bench.api; print(sorted({'torch', 'numpy', 'pyarrow', 'datasets'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
