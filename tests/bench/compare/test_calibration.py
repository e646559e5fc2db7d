"""What the comparison promises: few false alarms, and a tenth fewer errors found with 40 speakers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pairs
import pytest

from earmark.bench.compare import calibration
from earmark.bench.compare.timing import Passes
from earmark.bench.compare.words import Heard
from earmark.bench.score.schemes import Scheme


@pytest.fixture(scope="module")
def heard() -> Heard:
    return calibration.planted(40, 0.0, 0.5, np.random.default_rng(0))


def groups(heard: Heard) -> list[Scheme]:
    return [Scheme("group", {name: "north" if i % 2 else "south" for i, name in enumerate(heard.units)}, 1.0)]


def test_labels_are_swapped_for_half_of_the_speakers(heard: Heard) -> None:
    mixed = calibration.swapped(heard, np.random.default_rng(1))
    total = heard.errors.first + heard.errors.second
    assert (mixed.errors.first + mixed.errors.second == total).all()
    moved = {heard.unit_of[i] for i, (a, b) in enumerate(zip(heard.before, mixed.before, strict=True)) if a != b}
    assert 15 < len(moved) <= 20
    assert {a + b for a, b in zip(heard.before, heard.after, strict=True)} >= {
        a + b for i, (a, b) in enumerate(zip(mixed.before, mixed.after, strict=True)) if heard.unit_of[i] not in moved
    }


def test_the_gain_is_the_one_that_was_planted() -> None:
    found = calibration.planted(2000, 0.1, 0.4, np.random.default_rng(2)).errors
    assert found.second.sum() / found.first.sum() == pytest.approx(0.9, abs=0.01)
    assert found.first.sum() / found.words.sum() == pytest.approx(calibration.RATE, rel=0.05)


def test_a_tally_counts_tests_and_flags(heard: Heard) -> None:
    found = calibration.swapped_draws(heard, groups(heard), n_draws=3, seed=0)
    assert (found.n_draws, found.n_tests) == (3, 12)  # word and character error rates, and two cohorts
    apart = calibration.halves_draws(heard, groups(heard), n_draws=3, seed=0)
    assert (apart.n_draws, apart.n_tests) == (3, 12)


def test_timings_are_exchanged_recording_by_recording(tmp_path: Path) -> None:
    sides = []
    for name, service_s in (("fast", 0.01), ("slow", 0.02)):
        folder = pairs.write_run(tmp_path, f"2026010{len(sides)}", [pairs.cell(name)])
        pairs.hear(folder, name, pairs.erring(0.2, 0), pairs.steady(service_s))
        sides.append(Passes.read(pairs.cell(name), folder.observations(name), "basic-1"))
    mixed = calibration._exchanged(sides, {"s00-0", "s01-0"})
    spent = [{name: round(float(one.service_s[0]), 3) for name, one in side.typical.items()} for side in mixed]
    assert [side["s00-0"] for side in spent] == [0.02, 0.01]
    assert [side["s05-0"] for side in spent] == [0.01, 0.02]
    found = calibration.timing_draws(sides, n_draws=5, seed=0)
    assert found.n_tests == 5 * 8
    assert found.n_flagged <= 0.1 * found.n_tests


@pytest.mark.slow
def test_at_most_one_metric_in_twenty_is_flagged_where_nothing_is(heard: Heard) -> None:
    for play in (calibration.swapped_draws, calibration.halves_draws):
        found = play(heard, groups(heard), n_draws=200, seed=0)
        assert found.n_flagged <= 0.05 * found.n_tests
        assert found.n_draws_flagged <= 0.05 * found.n_draws + 2 * (0.05 * 0.95 * found.n_draws) ** 0.5
        assert found.n_below <= 0.08 * found.n_tests


@pytest.mark.slow
def test_a_tenth_fewer_errors_of_forty_speakers_are_found() -> None:
    assert calibration.found_share(40, 0.1, 0.5, n_draws=200, seed=0) >= 0.8
