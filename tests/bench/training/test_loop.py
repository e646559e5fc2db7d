"""The loop: it learns, it stops and goes on exactly, and it does what repairs ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import embedder, mitigations, recognizer
from torch import Tensor

from earmark.bench.api import Example, InputError, Losses, Progress, Turn
from earmark.bench.metrics.verification import equal_error_rate
from earmark.bench.training.data import TrainingData, load
from earmark.bench.training.evaluate import Dev
from earmark.bench.training.loop import Course, Wishes, fit
from earmark.bench.training.recipe import Recipe
from earmark.bench.training.trainer import FabricTrainer

N = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Four speakers, two cohorts, texts of three lengths."""
    import soundfile

    from earmark.bench.corpora.schema import complete

    folder, rng, rows = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0), []
    for i in range(N):
        path = folder / f"{i}.wav"
        soundfile.write(path, 0.1 * (1 + i % 3) * rng.standard_normal(3200), 16_000)
        row = {"id": f"u{i}", "audio": {"bytes": None, "path": str(path)}, "text": "word" * (1 + i % 3)}
        rows.append(complete({**row, "speaker": f"s{i % 4}", "split": "train", "duration_s": 0.2}))
    cohorts = ["north" if i % 2 else "south" for i in range(N)]
    return load(rows, rate_hz=16_000, cache=folder, key="unit", progress=lambda *_: None, cohorts=cohorts)


def course(data: TrainingData, **changes: Any) -> Course:
    recipe = Recipe(steps=12, batch_size=6, warmup=2, learning_rate=0.01, dev_every=3, save_every=2, threads=1)
    return replace(Course(data, recipe, seed=5), **changes)


def tiny() -> recognizer.TinyRecognizer:
    torch.manual_seed(0)
    return recognizer.TinyRecognizer()


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def loss_of(model: Any, data: TrainingData) -> float:
    batch = model.collate([*data.examples()], np.random.default_rng(0))
    with torch.no_grad():
        return float(sum(model.loss(batch, Progress(0, 1)).terms.values()))


class Killed(Exception):
    pass


class StopsAt:
    """A transform that raises once a number of examples went through."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, example: Example, rng: np.random.Generator) -> Example:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return replace(example, samples=example.samples + np.float32(0.01 * rng.random()))


def test_it_learns_and_leaves_the_argument_alone(data: TrainingData) -> None:
    model = tiny()
    trained, standing = fit(model, course(data))
    assert same(model, tiny())
    assert loss_of(trained, data) < loss_of(model, data)
    assert [row["step"] for row in standing.log] == [3, 6, 9, 12]
    assert not trained.training
    assert all(parameter.requires_grad for parameter in trained.parameters())


def test_a_seed_repeats_a_training_and_the_global_generator_is_left_alone(data: TrainingData) -> None:
    before = torch.random.get_rng_state()
    one, _ = fit(tiny(), course(data))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(99)
    assert same(one, fit(tiny(), course(data))[0])
    assert not same(one, fit(tiny(), course(data, seed=6))[0])


@pytest.mark.parametrize("kills", [[20], [37, 20], [71]])
def test_taken_up_after_a_kill_it_ends_with_the_same_weights(
    data: TrainingData, tmp_path: Path, kills: list[int]
) -> None:
    undisturbed, log = fit(tiny(), course(data), Wishes(transform=StopsAt(10**6)))
    kept = course(data, state_file=tmp_path / "state.safetensors", identity="unit", dev=None)
    for n in kills:
        with pytest.raises(Killed):
            fit(tiny(), kept, Wishes(transform=StopsAt(n)))
    assert kept.state_file is not None
    assert kept.state_file.is_file()
    ended, again = fit(tiny(), kept, Wishes(transform=StopsAt(10**6)))
    assert same(ended, undisturbed)
    assert again.log == log.log


def test_an_objective_with_a_state_of_its_own_is_taken_up_too(data: TrainingData, tmp_path: Path) -> None:
    def wishes(n: int) -> Wishes:
        return Wishes(objective=Pulled, transform=StopsAt(n))

    kept = course(data, state_file=tmp_path / "state.safetensors", identity="unit")
    undisturbed, _ = fit(tiny(), course(data), wishes(10**6))
    with pytest.raises(Killed):
        fit(tiny(), kept, wishes(50))
    assert same(fit(tiny(), kept, wishes(10**6))[0], undisturbed)


class Pulled:
    """The model's loss, weighted by a number that grows in every step."""

    def __init__(self, model: Any) -> None:
        self.model, self.weight = model, torch.ones(())

    def losses(self, batch: Any, progress: Progress) -> Losses:
        return Losses({name: self.weight * term for name, term in self.model.loss(batch, progress).terms.items()})

    def after_step(self, batch: Any, progress: Progress) -> Mapping[str, float]:
        self.weight = self.weight * 1.5
        return {"weight": float(self.weight)}

    def state(self) -> Mapping[str, Tensor]:
        return {"weight": self.weight}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.weight = state["weight"]


def test_the_objective_replaces_the_loss_and_is_logged(data: TrainingData) -> None:
    pulled, standing = fit(tiny(), course(data), Wishes(objective=Pulled))
    assert not same(pulled, fit(tiny(), course(data))[0])
    assert [row["weight"] for row in standing.log] == pytest.approx([1.5**n for n in (3, 6, 9, 12)])


def test_a_second_fit_is_not_taken_up_where_the_first_one_ended(data: TrainingData, tmp_path: Path) -> None:
    kept = FabricTrainer(course(data, state_file=tmp_path / "state.safetensors", identity="unit"))
    plain = FabricTrainer(course(data))
    twice = [trainer.fit(trainer.fit(tiny())) for trainer in (kept, plain)]
    assert same(*twice)
    assert not same(twice[0], plain.fit(tiny()))
    assert {row["fit"] for row in kept.log} == {1, 2}


def test_a_state_of_another_training_is_not_taken_up(data: TrainingData, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        fit(tiny(), course(data, state_file=path, identity="other"), Wishes(transform=StopsAt(50)))
    fresh, _ = fit(tiny(), course(data, state_file=path, identity="unit"))
    assert same(fresh, fit(tiny(), course(data))[0])
    path.write_bytes(b"no safetensors")
    assert same(fresh, fit(tiny(), course(data, state_file=path, identity="unit"))[0])


def test_frozen_parts_stay_and_the_others_move(data: TrainingData) -> None:
    model, before = tiny(), tiny().state_dict()
    trained, _ = fit(model, course(data), Wishes(frozen=["front", "cell"]))
    moved = {name.partition(".")[0] for name, value in trained.state_dict().items() if not value.equal(before[name])}
    assert moved == {"out"}
    with pytest.raises(InputError, match="no part 'ears' to freeze; there is front, cell, out"):
        fit(model, course(data), Wishes(frozen=["ears"]))
    with pytest.raises(InputError, match="every part is frozen"):
        fit(model, course(data), Wishes(frozen=["front", "cell", "out"]))


def test_the_best_weights_on_dev_are_kept(data: TrainingData) -> None:
    class Falling(Dev):
        values = iter([0.5, 0.2, 0.2, 0.9])

        def __call__(self, model: Any) -> float:
            return next(self.values)

    trained, standing = fit(tiny(), course(data, dev=Falling([])))
    assert (standing.best, standing.best_step) == (0.2, 9)
    assert not same(trained, fit(tiny(), course(data))[0])


def test_parts_may_be_given_rates_of_their_own(data: TrainingData) -> None:
    """With no rate to speak of a part stays where it is, and the others move."""
    recipe = replace(course(data).recipe, weight_decay=0.0, rates={"front": 1e-9})
    trained, _ = fit(tiny(), course(data, recipe=recipe))
    torch.testing.assert_close(trained.front.weight, tiny().front.weight)
    assert not torch.allclose(trained.out.weight, tiny().out.weight, atol=0.01)
    with pytest.raises(InputError, match="no part 'fornt' to be given a rate; there is front"):
        fit(tiny(), course(data, recipe=replace(recipe, rates={"fornt": 2.0})))


class Late(recognizer.TinyRecognizer):
    """Not what it is to be before step 7."""

    def may_keep(self, progress: Progress) -> bool:
        return progress.step >= 6


def test_a_model_says_when_its_weights_may_be_kept(data: TrainingData) -> None:
    """Dev gets worse from look to look: the first look that counts is kept."""

    class Falling(Dev):
        def __call__(self, model: Any) -> float:
            looks.append(0)
            return float(len(looks))

    looks: list[int] = []
    torch.manual_seed(0)
    _, standing = fit(Late(), course(data, dev=Falling([])))
    assert (standing.best_step, len(looks)) == (9, 2)
    looks.clear()
    assert fit(tiny(), course(data, dev=Falling([])))[1].best_step == 3


def test_a_loss_that_is_not_finite_names_its_step(data: TrainingData) -> None:
    def shout(example: Example, rng: np.random.Generator) -> Example:
        return replace(example, samples=example.samples * np.float32(np.nan))

    with pytest.raises(InputError, match=r"not finite in step 0 \(letters nan\); lower learning_rate"):
        fit(tiny(), course(data), Wishes(transform=shout))


@pytest.mark.parametrize("name", ["oversampling", "ewc", "cohort_embedding"])
def test_the_trainer_is_enough_for_every_repair(data: TrainingData, name: str) -> None:
    repair, model = getattr(mitigations, name)(options={}), tiny()
    repaired = repair.apply(model, ["north"], FabricTrainer(course(data)))
    assert same(model, tiny())
    assert not same(repaired.model, model) or repaired.conditions


def test_the_trainer_is_enough_for_a_metric_learner_and_its_adversary(data: TrainingData) -> None:
    torch.manual_seed(0)
    model = embedder.TinyEmbedder()
    trainer = FabricTrainer(course(data))
    repaired = mitigations.adversarial_reweighting(options={}).apply(model, ["north"], trainer)
    assert not same(repaired.model, model)  # type: ignore[arg-type]
    assert trainer.standing is not None
    assert all("adversary" in row for row in trainer.standing.log)


def test_gradients_are_those_of_one_utterance_and_stay_off_the_model(data: TrainingData) -> None:
    model = tiny().eval()
    (first, second) = FabricTrainer(course(data)).gradients(model, [3, 4])
    batch = model.collate([data.example(3)], np.random.default_rng(5))
    model.loss(batch, Progress(0, 12)).terms["letters"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(first[name], parameter.grad)
        parameter.grad = None
    assert not torch.equal(first["out.weight"], second["out.weight"])
    list(FabricTrainer(course(data)).gradients(model, [3]))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_examples_come_back_as_they_were_written(data: TrainingData) -> None:
    example = data.example(4)
    assert (example.utterance_id, example.turns[0].text) == ("u4", "wordword")
    assert example.samples.shape == (3200,)
    assert example.samples.dtype == np.float32
    assert data.rows["cohort"].to_pylist()[:2] == ["south", "north"]
    assert not {"text", "errors", "words"} & set(data.rows.column_names)


def test_dev_is_trials_where_a_model_embeds_and_loss_where_it_has_none(data: TrainingData) -> None:
    learner, held = embedder.TinyEmbedder().eval(), [*data.examples()]
    assert Dev(held).metric(learner) == "eer"
    vectors = np.stack([learner.embed(e.samples[None], np.array([len(e.samples)]))[0] for e in held])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(len(held)) for j in range(i)]
    scores: dict[bool, list[float]] = {True: [], False: []}
    for i, j in pairs:
        scores[held[i].turns[0].speaker == held[j].turns[0].speaker].append(float(unit[i] @ unit[j]))
    assert Dev(held)(learner) == pytest.approx(equal_error_rate(scores[True], scores[False]), abs=1e-6)
    one_speaker = [e for e in held if e.turns[0].speaker == held[0].turns[0].speaker]
    assert Dev(one_speaker).metric(learner) == "loss"
    losses = learner.loss(learner.collate(one_speaker, np.random.default_rng(0)), Progress(0, 1))
    assert Dev(one_speaker)(learner) == pytest.approx(float(sum(losses.terms.values()).detach()))


def test_dev_is_words_where_a_model_transcribes() -> None:
    examples = [Example("u", np.zeros(1600, dtype=np.float32), (Turn("a b", 0.0, 0.1),))]
    says_nothing = tiny().eval()
    for parameter in says_nothing.out.parameters():
        torch.nn.init.zeros_(parameter)
    assert (Dev(examples).metric(says_nothing), Dev(examples)(says_nothing)) == ("wer", 1.0)
