"""The game in the real loop: killed and taken up again it ends with the weights of one that was left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes.embedder import TinyEmbedder
from repairs import loop_data, weights_of

from earmark.bench.training.data import TrainingData
from earmark.bench.training.loop import Course
from earmark.bench.training.recipe import Recipe
from earmark.bench.training.trainer import FabricTrainer
from earmark.fairness.adversarial_reweighting import method
from earmark.fairness.adversarial_reweighting.objective import Reweighting

N, STEPS = 16, 12


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Two recordings of each of eight speakers."""
    rng = np.random.default_rng(0)
    made = loop_data([0.1 * rng.standard_normal(1600) for _ in range(N)], ["a"] * N, ["c"] * N)
    rows = [{**row, "speaker": f"s{place // 2}"} for place, row in enumerate(made.corpus_rows)]
    return replace(made, corpus_rows=rows)


def repaired(data: TrainingData, form: str, state_file: Path | None) -> tuple[Mapping[str, Any], Any]:
    recipe = Recipe(steps=STEPS, batch_size=8, warmup=2, learning_rate=0.01, dev_every=4, save_every=2, threads=1)
    trainer = FabricTrainer(Course(data, recipe, seed=5, state_file=state_file, identity="unit"))
    torch.manual_seed(0)
    repair = method.build(options={"form": form, "regions": 3, "renew": 2, "warm_up": 0.25})
    return weights_of(repair.apply(TinyEmbedder(), [], trainer).model), trainer.log


@pytest.mark.parametrize(("form", "killed_in"), [("similarity", 7), ("pseudo_labels", 7), ("pairs", 7), ("pairs", 1)])
def test_a_repair_that_was_killed_ends_as_if_it_had_not_been(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, killed_in: int
) -> None:
    whole, told = repaired(data, form, None)
    state_file = tmp_path / "state.safetensors"
    with monkeypatch.context() as patched:

        def after_step(self: Reweighting, batch: Any, progress: Any) -> Mapping[str, float]:
            if progress.step == killed_in:
                raise Killed
            return played(self, batch, progress)

        played = Reweighting.after_step
        patched.setattr(Reweighting, "after_step", after_step)
        with pytest.raises(Killed):
            repaired(data, form, state_file)
    assert state_file.is_file() == (killed_in > 2)
    again, told_again = repaired(data, form, state_file)
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())
    assert told_again == told
    assert told[-1]["weight_std"] > 0  # the adversary had played
