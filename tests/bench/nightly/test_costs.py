"""Slower than the machine: by hand, with the drift of everything else taken off."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.bench.nightly.costs import Cost, cost_of, slower, steps
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

MODELS = {name: name for name in "abcde"}


def costs(**device: float) -> dict[str, Cost]:
    return {name: Cost(2 * seconds, seconds, 0.0) for name, seconds in device.items()}


def test_a_machine_that_is_slower_for_everybody_is_nobody_s_fault() -> None:
    before = costs(a=0.1, b=0.2, c=0.3, d=0.4, e=0.5)
    after = costs(a=0.15, b=0.3, c=0.45, d=0.6, e=0.75)
    found = steps(before, after, MODELS)
    assert all(step.device == pytest.approx(1.0) and step.drift == pytest.approx(1.5) for step in found.values())
    assert slower(found, 0.25) == ([], [])


def test_one_model_that_is_slower_than_the_rest_is_named() -> None:
    found = steps(costs(a=0.1, b=0.2, c=0.3, d=0.4), costs(a=0.2, b=0.2, c=0.33, d=0.4), MODELS)
    assert found["a"].device == pytest.approx(2.0)
    assert slower(found, 0.25) == (["a"], [])


def test_seeds_of_a_model_are_no_witnesses_for_each_other() -> None:
    """Three seeds of one model became slower together: the others tell that the machine did not."""
    model_of = {"a0": "a", "a1": "a", "a2": "a", **{name: name for name in "bcd"}}
    before = costs(a0=0.1, a1=0.1, a2=0.1, b=0.1, c=0.1, d=0.1)
    after = costs(a0=0.2, a1=0.2, a2=0.2, b=0.1, c=0.1, d=0.1)
    assert slower(steps(before, after, model_of), 0.25) == (["a0", "a1", "a2"], [])


def test_with_too_few_others_a_machine_is_taken_for_steady() -> None:
    found = steps(costs(a=0.1, b=0.1), costs(a=0.2, b=0.2), MODELS)
    assert found["a"].drift == 1.0
    assert slower(found, 0.25) == (["a", "b"], [])


def test_wall_time_alone_is_a_doubt() -> None:
    before = costs(a=0.1, b=0.1, c=0.1, d=0.1)
    after = {**before, "a": Cost(0.9, 0.1, 0.0)}
    assert slower(steps(before, after, MODELS), 0.25) == ([], ["a"])


def test_where_a_device_tells_nothing_wall_time_is_a_doubt_too() -> None:
    before = {name: Cost(1.0, None, 0.0) for name in "abcd"}
    after = {**before, "a": Cost(1.5, None, 0.0)}
    assert slower(steps(before, after, MODELS), 0.25) == ([], ["a"])


def test_a_noisy_model_has_to_be_slower_by_more() -> None:
    noisy = {name: Cost(0.2, 0.1, 0.6) for name in "abcd"}
    after = {**noisy, "a": Cost(0.2, 0.17, 0.1)}
    assert slower(steps(noisy, after, MODELS), 0.25) == ([], [])


def test_the_best_pass_counts(tmp_path: Path) -> None:
    """Two recordings of 1 s and 3 s, two passes: 0.4 s and 0.8 s of wall time, 0.2 s and 0.3 s of the device."""
    folder = RunFolder(tmp_path / "run")
    with Writer(folder.observations("c"), "c") as writer:
        for pass_, (wall, device) in enumerate(((0.2, 0.1), (0.4, 0.15))):
            for name, due_s in (("u", 1.0), ("v", 3.0)):
                writer.add(
                    "chunks", utterance_id=name, **{"pass": pass_}, chunk=0, n_samples=1, due_s=due_s, start_s=0.0,
                    service_s=wall, timed=True, device_s=device,
                )  # fmt: skip
        writer.add("chunks", utterance_id="w", **{"pass": 0}, chunk=0, due_s=9.0, service_s=9.0, timed=False)
    found = cost_of(folder, "c")
    assert found is not None
    assert (found.wall, found.device, found.noise) == pytest.approx((0.1, 0.05, 0.5))
    assert cost_of(folder, "other") is None


def test_one_pass_is_no_cost(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with Writer(folder.observations("c"), "c") as writer:
        row = {"chunk": 0, "due_s": 1.0, "service_s": 0.1, "device_s": 0.1, "timed": True}
        writer.add("chunks", utterance_id="u", **{"pass": 0}, **row)
    assert cost_of(folder, "c") is None
