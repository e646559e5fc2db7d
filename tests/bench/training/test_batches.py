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


def test_by_speaker_weights_decide_how_often_a_speaker_comes_up() -> None:
    speakers = [f"s{i // 2:02d}" for i in range(80)]
    weights = [3.0 if i < 20 else 0.0 if i < 30 else 1.0 for i in range(80)]
    made = Batches(3, [1.0] * 80, speakers, 16, "by_speaker", weights)
    drawn = Counter(speakers[row] for step in range(400) for row in made.of_step(step))
    assert not {f"s{i:02d}" for i in range(10, 15)} & set(drawn)
    often, seldom = (np.mean([drawn[f"s{i:02d}"] for i in group]) for group in (range(10), range(15, 40)))
    assert often / seldom == pytest.approx(3.0, rel=0.05)
    for step in range(20):
        assert set(Counter(speakers[row] for row in made.of_step(step)).values()) == {2}


def test_by_speaker_nobody_is_twice_in_a_batch_however_heavy() -> None:
    speakers = [f"s{i // 4}" for i in range(40)]
    made = Batches(0, [1.0] * 40, speakers, 12, "by_speaker", [100.0] * 4 + [1.0] * 36)
    for step in range(20):
        owners = Counter(speakers[row] for row in made.of_step(step))
        assert owners["s0"] == 2
        assert set(owners.values()) == {2}


def test_by_speaker_weights_choose_between_a_speakers_recordings() -> None:
    made = batches(batching="by_speaker", weights=[1.0 if i % 20 < 10 else 0.0 for i in range(50)])
    assert {row % 20 < 10 for step in range(10) for row in made.of_step(step)} == {True}


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


def test_weights_that_leave_no_pair_are_refused() -> None:
    made = batches(batching="by_speaker", weights=[1.0] + [0.0] * 49)
    with pytest.raises(InputError, match="two recordings of any weight"):
        made.of_step(0)
