"""Oversampling: cohorts are drawn in the shares that were asked for, and what is added says what the machine heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from repairs import Quadratic, ToyTrainer

from earmark.bench.api import Example, InputError, Json, Samples, Token, Turn, Unsupported
from earmark.bench.training.batches import Batches
from earmark.fairness.oversampling.method import build

COHORTS = ["most"] * 800 + ["some"] * 150 + ["few"] * 50


class Hears(Quadratic):
    """Says how loud a recording is; of what is negative, nothing."""

    def collate(self, examples: Sequence[Example], rng: np.random.Generator) -> Any:
        return torch.zeros(1, 2), torch.zeros(1)

    def transcribe(self, batch: Sequence[Samples]) -> list[tuple[Token, ...]]:
        assert not self.training
        loud = [float(samples[0]) for samples in batch]
        return [(Token(" heard"), Token(f" {level:g}")) if level >= 0 else () for level in loud]


def trainer(cohorts: Sequence[str] = COHORTS, samples: Sequence[Sequence[float]] | None = None) -> ToyTrainer:
    given = samples or [[float(i), 0.0] for i in range(len(cohorts))]
    return ToyTrainer(given, [str(i) for i in range(len(cohorts))], cohorts, n_steps=1)


def asked(model: Quadratic | None = None, rows: ToyTrainer | None = None, **options: Json) -> dict[str, Any]:
    """What the trainer was asked for."""
    used = rows or trainer()
    build(options=options).apply(model or Quadratic(), ["few"], used)
    return used.asked


def drawn(weights: Sequence[float]) -> dict[str, float]:
    """Empirical shares of cohorts in the loop's own batches, for 20 times as many utterances of each."""
    made = Batches(0, [1.0] * 20_000, [None] * 20_000, 50, "bucketed", [*weights] * 20)
    counts = Counter(COHORTS[row % 1000] for step in range(400) for row in made.of_step(step))
    return {name: n / counts.total() for name, n in counts.items()}


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({}, (0.5942, 0.2573, 0.1485)),
        ({"exponent": 0.5}, (0.5942, 0.2573, 0.1485)),
        ({"exponent": 1.0}, (1 / 3, 1 / 3, 1 / 3)),
        ({"exponent": 0.0}, (0.8, 0.15, 0.05)),
        ({"factor": 4.0}, (800 / 1150, 150 / 1150, 200 / 1150)),
    ],
)
def test_cohorts_are_drawn_in_the_shares_asked_for(options: dict[str, Json], shares: tuple[float, ...]) -> None:
    """20,000 draws: three standard deviations of a share are 0.0106 at most."""
    found = drawn(asked(**options)["row_weights"])
    assert [found[name] for name in ("most", "some", "few")] == pytest.approx(shares, abs=0.0106)


def test_human_texts_are_left_as_they_are() -> None:
    assert "transform" not in asked(factor=4.0)


def test_machine_texts_are_those_of_the_additions() -> None:
    """Drawn four times as often, three of four draws are additions."""
    given = asked(Hears(), factor=4.0, labels="machine")
    assert drawn(given["row_weights"])["few"] == pytest.approx(200 / 1150, abs=0.0106)
    rng, rows = np.random.default_rng(0), trainer()
    texts = [given["transform"](example, rng).turns[0].text for example in rows.examples([990] * 2000)]
    assert set(texts) == {"990", "heard 990"}
    assert texts.count("heard 990") / 2000 == pytest.approx(0.75, abs=3 * (0.1875 / 2000) ** 0.5)
    assert {given["transform"](example, rng).turns[0].text for example in rows.examples([3] * 50)} == {"3"}


def test_a_relabelled_utterance_keeps_its_sound_and_its_speaker_and_claims_no_times() -> None:
    change = asked(Hears(), factor=1e6, labels="machine")["transform"]
    (example,) = trainer().examples([999])
    new = change(example, np.random.default_rng(0))
    assert new == replace(example, turns=(Turn("heard 999", 0.0, 1.0, "s"),), samples=new.samples)
    assert new.samples is example.samples


def test_the_texts_are_those_of_the_model_before_the_repair() -> None:
    rows = trainer()
    model = Hears().train()
    build(options={"labels": "machine"}).apply(model, ["few"], rows)
    assert model.training  # a copy was put to rest


def test_what_was_not_heard_is_not_added_and_the_shares_stay() -> None:
    """Of four utterances in ``few`` two are mute: the other two are added in their place."""
    names = ["most"] * 8 + ["few"] * 4
    samples = [[1.0, 0.0]] * 8 + [[-1.0, 0.0]] * 2 + [[1.0, 0.0]] * 2
    given = asked(Hears(), trainer(names, samples), factor=3.0, labels="machine")
    mute, heard = given["row_weights"][8], given["row_weights"][10]
    assert heard / mute == pytest.approx(5.0)
    assert mute == pytest.approx(given["row_weights"][0])
    assert given["transform"].chances == pytest.approx({"u10": 0.8, "u11": 0.8})
    assert sum(given["row_weights"][8:]) / sum(given["row_weights"]) == pytest.approx(12 / 20)


def test_a_cohort_of_which_nothing_is_heard_is_refused() -> None:
    rows = trainer(["most"] * 4 + ["few"] * 2, [[1.0, 0.0]] * 4 + [[-1.0, 0.0]] * 2)
    with pytest.raises(InputError, match="says nothing of cohort 'few'"):
        asked(Hears(), rows, labels="machine")


def test_machine_texts_want_a_recognizer_and_one_turn() -> None:
    with pytest.raises(Unsupported, match="hears no words"):
        asked(labels="machine")
    rows = trainer(["most"] * 2 + ["few"])

    def twice(where: Sequence[int] | None = None) -> Any:
        for example in ToyTrainer.examples(rows, where):
            yield Example(example.utterance_id, example.samples, example.turns * 2)

    rows.examples = twice  # type: ignore[method-assign]
    with pytest.raises(InputError, match="u2 has 2 turns"):
        asked(Hears(), rows, labels="machine")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"exponent": 1.5}, "give 0 to 1"),
        ({"factor": 0.5}, "give 1 to"),
        ({"exponent": 0.5, "factor": 2.0}, "both given"),
        ({"labels": "robot"}, "give one of: human, machine"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options=options)
