"""Batches are a function of seed and step; they cover every recording, and weights decide what is drawn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.training.batches import Batches


def batches(n: int = 50, size: int = 8, **changes: Any) -> Batches:
    rng = np.random.default_rng(0)
    base = {"seed": 3, "durations": rng.uniform(1, 9, n).tolist(), "speakers": [f"s{i % 10}" for i in range(n)]}
    return Batches(**(base | {"batch_size": size} | changes))


@given(st.integers(1, 90), st.integers(1, 16))
@settings(max_examples=40, deadline=None)
def test_an_epoch_holds_every_recording_once(n: int, size: int) -> None:
    made = batches(n, size)
    epoch = -(-n // size)
    assert sorted(row for step in range(epoch) for row in made.of_step(step)) == list(range(n))
    assert sorted(row for step in range(epoch, 2 * epoch) for row in made.of_step(step)) == list(range(n))


def test_any_step_can_be_asked_for_first() -> None:
    forward = [batches().of_step(step) for step in range(20)]
    fresh = batches()
    assert [fresh.of_step(step) for step in reversed(range(20))] == forward[::-1]
    assert forward != [batches(seed=4).of_step(step) for step in range(20)]


def test_recordings_of_like_length_are_together() -> None:
    made = batches(600)
    spread = [np.ptp([made.durations[row] for row in made.of_step(step)]) for step in range(75)]
    assert np.mean(spread) < 0.1 * np.ptp(made.durations)


def test_weights_decide_how_often_a_recording_is_drawn() -> None:
    made = batches(weights=[0.0] * 25 + [1.0] * 24 + [10.0])
    drawn = Counter(row for step in range(7 * 40) for row in made.of_step(step))
    assert min(drawn) >= 25
    assert drawn[49] / drawn.total() == pytest.approx(10 / 34, abs=0.04)


def test_by_speaker_brings_two_recordings_of_each() -> None:
    made = batches(batching="by_speaker")
    for step in range(12):
        owners = Counter(made.speakers[row] for row in made.of_step(step))
        assert set(owners.values()) == {2}
        assert len(owners) >= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [1.0]}, "row_weights of shape"),
        ({"weights": [-1.0] * 50}, "zero or more"),
        ({"weights": [0.0] * 50}, "not all zero"),
        ({"durations": [], "speakers": []}, "no recordings"),
        ({"batching": "by_speaker", "speakers": [None] * 50}, "no speaker has two"),
    ],
)
def test_what_can_make_no_batch_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        batches(**changes)
