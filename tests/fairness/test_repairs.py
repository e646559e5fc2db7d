"""Every repair of a recognizer mends a transducer through the loop, and the result still streams."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from repairs import changed, loop_data

from earmark.bench import registry
from earmark.bench.api import FairnessSpec, Json
from earmark.bench.training.loop import Course
from earmark.bench.training.recipe import Recipe
from earmark.bench.training.trainer import FabricTrainer
from earmark.models._blocks.recognizer import Transducer
from earmark.models.rnnt.model import build

REPAIRS = [
    ("fine_tuning", {"frozen": ["encoder"]}, {"predictor", "joint", "aligner"}),
    ("fine_tuning", {"rows": "all", "frozen": ["predictor", "joint"]}, {"encoder", "aligner"}),
    ("ewc", {"parts": ["predictor", "joint"], "fisher_utterances": 3}, {"predictor", "joint"}),
    ("ewc", {"parts": ["encoder"], "fisher_utterances": 3}, {"encoder"}),
    ("oversampling", {"factor": 3.0, "labels": "machine"}, {"encoder", "predictor", "joint", "aligner"}),
    ("cohort_embedding", {"oversample": 0.5}, {"encoder", "predictor", "joint", "aligner", "condition"}),
]


def sounds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(0.1 * rng.standard_normal(3200 + 800 * (i % 3))).astype(np.float32) for i in range(6)]


def trainer() -> FabricTrainer:
    data = loop_data(sounds(), ["ab", "ba a", "b"] * 2, ["north", "south", "south"] * 2)
    return FabricTrainer(Course(data, Recipe(steps=2, batch_size=3, warmup=0, threads=1), seed=0))


@cache
def talking() -> Transducer:
    """Says ``a`` of any sound, and has begun to learn."""
    model = build("tiny", options={}, vocabulary=[" ", "a", "b"], seed=0, device="cpu")
    with torch.no_grad():
        model.joint.output.bias[2] += 5.0
    model.begun.fill_(True)
    return model


@pytest.mark.parametrize(
    ("name", "options", "parts"), REPAIRS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_it_changes_the_parts_it_may_and_no_other(name: str, options: dict[str, Json], parts: set[str]) -> None:
    plugin = registry.scan().named(name, "fairness")
    repaired = registry.resolve(plugin.spec)(options=options).apply(talking(), ["north"], trainer())
    model: Any = repaired.model
    weights = {weight for names in model.parts().values() for weight in names}
    before: Any = talking().with_condition(2) if "condition" in parts else talking()
    assert {weight.partition(".")[0] for weight in changed(before, model) & weights} == parts
    for condition in {None, repaired.hidden, *(repaired.conditions or {}).values()}:
        stream = model.stream(condition)
        stream.accept(sounds()[0])
        stream.finish()


def test_every_mitigation_of_recognizers_in_the_tree_is_here() -> None:
    specs = [
        p.spec for p in registry.scan().plugins if isinstance(p.spec, FairnessSpec) and p.spec.role == "mitigation"
    ]
    assert {spec.name for spec in specs if "recognition" in spec.tasks} == {name for name, _, _ in REPAIRS}
