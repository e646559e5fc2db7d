"""The runner: finders whose outcome is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from typer.testing import CliRunner

from earmark.bench.api import InputError, Json, Table
from earmark.bench.metrics.standing import standing
from earmark.bench.worlds import GROUPS, World, draw, measure, play, random_groups, summarize
from earmark.bench.worlds.power import Outcome, binomial_interval, speaker_cohorts, speaker_counts, worst

WORLD = World(n_speakers={"discover": 120, "select": 20, "measure": 120}, n_utterances=5, share=0.25)
OUTCOME = Outcome(0, 2, "a", 0.3, 0.6, 0.7, 0.8, True, 1, 1)


@dataclass(frozen=True)
class Named:
    """A scheme that knows the answer: cohorts by speaker."""

    cohorts: dict[str, str]

    def assign(self, rows: Table) -> list[str]:
        assert not {"errors", "words"} & set(rows.column_names), "a scheme saw outcomes"
        return [self.cohorts[name] for name in rows["speaker"].to_pylist()]

    def to_json(self) -> Json:
        return {}


@dataclass(frozen=True)
class Knowing:
    """A finder that is told which group is planted, and in which world."""

    world: World
    group: str
    seed: int

    def fit(self, discover: Table, select: Table, *, seed: int) -> Named:
        drawn = draw(self.world, self.seed)
        return Named({
            name: "hard" if is_member else "easy"
            for split, names in drawn.speakers.items()
            for name, is_member in zip(names, drawn.members[split][self.group], strict=True)
        })  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_a_finder_that_knows_the_truth_hits(group: str) -> None:
    world = WORLD.with_effects({group: 4.0})
    found = play(Knowing(world, group, 1).fit, world, group, seed=1)
    assert (found.bottom, found.jaccard, found.recall, found.precision) == ("hard", 1.0, 1.0, 1.0)
    assert found.hit
    assert found.bottom_share == draw(world, 1).members["measure"][group].mean()


def test_a_finder_that_looks_for_something_else_misses() -> None:
    world = WORLD.with_effects({"voice": 4.0})
    found = play(Knowing(world, "null", 1).fit, world, "voice", seed=1)
    assert not found.hit
    assert found.jaccard < 0.5


def test_one_cohort_is_nothing_found() -> None:
    class One:
        def fit(self, discover: Table, select: Table, *, seed: int) -> Named:
            names = [n for part in draw(WORLD, 1).speakers.values() for n in part]
            return Named(dict.fromkeys(names, "all"))

    found = play(One().fit, WORLD, "voice", seed=1)
    assert (found.n_cohorts, found.bottom, found.jaccard, found.n_flagged) == (1, None, 0.0, 0)


def test_draws_have_seeds_of_their_own_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    found = measure(
        random_groups, WORLD, "null", n_draws=3, seed=7, n_replicates=50, progress=lambda a, b, _: told.append((a, b))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len({o.seed for o in found}) == 3
    again = measure(random_groups, WORLD, "null", n_draws=3, seed=7, n_replicates=50)
    assert again == found


def test_a_speakers_cohort_is_that_of_most_rows() -> None:
    @dataclass(frozen=True)
    class ByRow:
        names: Sequence[str]

        def assign(self, rows: Table) -> list[str]:
            return [*self.names]

        def to_json(self) -> Json:
            return {}

    world = replace(WORLD, n_speakers={"discover": 3, "select": 1, "measure": 1}, n_utterances=4)
    scheme = ByRow(["b", "b", "a", "b", "a", "b", "b", "a", "c", "a", "c", "a"])
    assert speaker_cohorts(scheme, draw(world, 0), "discover") == ["b", "a", "a"]  # ties: the first by name


def test_counts_of_speakers_add_up() -> None:
    drawn = draw(WORLD, 0)
    errors, words = speaker_counts(drawn, "measure")
    assert errors[3] == sum(drawn.tables["measure"]["errors"].to_pylist()[15:20])
    assert words.sum() == sum(drawn.tables["measure"]["words"].to_pylist())


def test_only_large_cohorts_are_judged_and_ranked() -> None:
    """Nine speakers, or fewer than thirty errors, are too few, however high their rate."""
    cohorts = ["few"] * 9 + ["rare"] * 12 + ["high"] * 15 + ["low"] * 15
    errors = np.array([50.0] * 9 + [1.0] * 12 + [20.0] * 15 + [10.0] * 15) + np.arange(51) % 2
    words = np.array([60.0] * 9 + [2.0] * 12 + [100.0] * 30)
    assert worst(errors, words, cohorts) == "high"
    flags = standing(errors, words, cohorts, seed=0, n_replicates=200)
    assert (flags.worse, flags.better, flags.uncorrected) == (("high",), ("low",), ("high", "low"))
    assert standing(errors, words, ["one"] * 51, seed=0, n_replicates=50).worse == ()


def test_null_groups_are_flagged_as_rarely_as_said() -> None:
    """Thirty null worlds: more than 5 false alarms have a probability of 0.3 % at a rate of 5 %."""
    found = measure(random_groups, WORLD, "null", n_draws=30, seed=3, n_replicates=200)
    row = summarize(found, finder="random", world="nothing")
    assert row["any_flagged"] * 30 <= 5
    assert row["any_flagged"] <= row["any_uncorrected"]


def test_a_summary_by_hand() -> None:
    missed = replace(OUTCOME, jaccard=0.4, recall=0.5)
    none = replace(
        OUTCOME,
        n_cohorts=1,
        bottom=None,
        jaccard=0.0,
        recall=0.0,
        bottom_flagged=False,
        n_flagged=0,
        n_flagged_uncorrected=0,
    )
    row = summarize([OUTCOME, OUTCOME, missed, none], finder="f", world="w")
    assert (row["n_draws"], row["power"], row["found"], row["overlaps"], row["any_flagged"]) == (
        4,
        0.5,
        0.75,
        0.5,
        0.75,
    )
    assert row["jaccard"] == pytest.approx((0.6 + 0.6 + 0.4) / 3)
    assert (row["power_low"], row["power_high"]) == binomial_interval(2, 4)
    assert summarize([none], finder="f", world="w")["precision"] is None


def test_exact_intervals_of_shares() -> None:
    """Closed forms at the ends: 1 - 0.025^(1/n)."""
    assert binomial_interval(0, 20) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert binomial_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1.0))
    low, high = binomial_interval(5, 10)
    assert low == pytest.approx(1 - high)


def test_the_command_line_prints_a_table_and_json() -> None:
    import typer

    from earmark.bench.worlds.__main__ import main

    app = typer.Typer()
    app.command()(main)
    few = ["--null-draws", "2", "--speakers", "40", "--quiet"]
    done = CliRunner().invoke(app, ["random", *few, "--json"])
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout)
    assert (row["finder"], row["world"], row["n_draws"]) == ("random", "nothing", 2)
    text = CliRunner().invoke(app, ["random", *few, "--worlds", "noise", "--draws", "1"]).stdout
    assert [line.split("|")[2].strip() for line in text.splitlines()[2:4]] == ["noise", "nothing"]
    for wrong, says in (
        (["randon"], "unknown"),
        (["random", "--share", "2"], "share"),
        (["random", "--set", "x"], "--set"),
    ):
        refused = CliRunner().invoke(app, [*wrong, *few])
        assert refused.exit_code == 2
        assert says in refused.output


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(InputError, match="no group 'voices'"):
        WORLD.with_effects({"voices": 2.0})
