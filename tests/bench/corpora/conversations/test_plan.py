"""Plans obey the rules that they are drawn by, whoever talks and whatever the seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.corpora.conversations.arrangement import channels
from earmark.bench.corpora.conversations.plan import CONDITIONS, PAUSE_S, Plan, Talkers, draw, overlap_ratio
from earmark.bench.corpora.conversations.rules import LOUDEST_DB, SHORTEST_DELAY_S, Rules

N_ROOMS = 8


def talkers(seed: int, n: int = 40, n_speakers: int = 8) -> Talkers:
    rng = np.random.default_rng(seed)
    return Talkers(0.4 + 3.0 * rng.random(n), rng.integers(0, n_speakers, n))


def drawn(who: Talkers, rules: Rules, number: int) -> Plan:
    return draw(who, rules, np.random.default_rng((rules.seed, number)), number=number, n_rooms=N_ROOMS)


def spans(plan: Plan, who: Talkers) -> list[tuple[float, float]]:
    return [(turn.start_s, turn.start_s + float(who.lengths_s[turn.place])) for turn in plan.turns]


def most_at_once(found: list[tuple[float, float]]) -> int:
    return max(sum(a < end and b > start for a, b in found if a <= start) for start, end in found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_published_rules(seed: int, max_turns: int) -> None:
    who, rules = talkers(seed), Rules(max_turns=max_turns, limit_s=12.0, seed=seed)
    plan = drawn(who, rules, 0)
    found = spans(plan, who)
    assert 1 <= len(plan.turns) <= max_turns
    for (start, end), (following, _) in pairwise(found):
        assert SHORTEST_DELAY_S <= following - start <= end - start
    assert most_at_once(found) <= 2
    assert max(end for _, end in found) <= 12.0
    assert not own_overlaps(plan, who)


def own_overlaps(plan: Plan, who: Talkers) -> bool:
    """Whether somebody talks over themselves."""
    found = spans(plan, who)
    pairs = [(i, j) for j in range(len(found)) for i in range(j) if found[i][1] > found[j][0]]
    return any(who.speakers[plan.turns[i].place] == who.speakers[plan.turns[j].place] for i, j in pairs)


@given(st.integers(0, 2**32 - 1))
def test_levels_are_those_of_speakers_against_one_of_them(seed: int) -> None:
    who = talkers(seed, n_speakers=3)
    plan = drawn(who, Rules(seed=seed), 0)
    level = {int(who.speakers[turn.place]): turn.level_db for turn in plan.turns}
    assert all(turn.level_db == level[int(who.speakers[turn.place])] for turn in plan.turns)
    assert plan.turns[plan.reference].level_db == 0.0
    assert all(abs(db) <= LOUDEST_DB for db in level.values())


@given(st.integers(0, 2**32 - 1), st.sampled_from([*CONDITIONS]))
def test_the_six_conditions(seed: int, condition: str) -> None:
    who, number = talkers(seed), [*CONDITIONS].index(condition)
    plan = drawn(who, Rules(style="libricss", max_turns=4, seed=seed), number)
    found = spans(plan, who)
    assert plan.condition == condition
    assert len(found) >= 2
    assert overlap_ratio(found) == pytest.approx(CONDITIONS[condition][0], abs=1e-9)
    assert most_at_once(found) <= 2
    if condition in ("0S", "0L"):
        low, high = CONDITIONS[condition][1]
        assert all(low <= after[0] - before[1] <= high for before, after in pairwise(found))


@given(st.integers(0, 2**32 - 1))
def test_sparse_turns_wait(seed: int) -> None:
    who = talkers(seed)
    found = spans(drawn(who, Rules(style="sparse", seed=seed), 0), who)
    gaps = [after[0] - before[1] for before, after in pairwise(found)]
    assert all(PAUSE_S[0] <= gap + 1e-9 and gap - 1e-9 <= PAUSE_S[1] for gap in gaps)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["published", "sparse", "libricss"]))
def test_no_two_turns_of_a_channel_overlap_and_without_overlap_there_is_one_channel(seed: int, style: str) -> None:
    who = talkers(seed)
    found = spans(drawn(who, Rules(style=style, seed=seed), seed % 6), who)  # type: ignore[arg-type]
    lanes = channels(found)
    for channel in set(lanes):
        own = [span for span, lane in zip(found, lanes, strict=True) if lane == channel]
        assert overlap_ratio(own) == 0.0
    if overlap_ratio(found) == 0.0:
        assert set(lanes) == {0}


def test_the_arrangement_stays_where_surts_would_go_back() -> None:
    """After an overlap the third turn, which overlaps nothing, stays on channel 1; the first free one would be 0."""
    assert channels([(0.0, 2.0), (1.0, 3.0), (4.0, 5.0)]) == [0, 1, 1]


def test_every_number_of_turns_is_equally_likely() -> None:
    who, rules = talkers(3), Rules(max_turns=4)
    counts = np.bincount([len(drawn(who, rules, number).turns) for number in range(400)], minlength=5)[1:]
    assert abs(counts - 100).max() < 35  # 4 standard deviations


def test_a_number_gives_the_same_plan_again() -> None:
    assert drawn(talkers(0), Rules(), 7) == drawn(talkers(0), Rules(), 7)
    assert drawn(talkers(0), Rules(), 7) != drawn(talkers(0), Rules(seed=1), 7)


def test_who_cannot_converse_is_told_so() -> None:
    alone = Talkers(np.full(4, 2.0), np.zeros(4, dtype=np.int64))
    number = next(n for n in range(20) if np.random.default_rng((0, n)).random() > 0.5)  # not a single turn
    with pytest.raises(InputError, match="more speakers"):
        drawn(alone, Rules(max_turns=3), number)
    with pytest.raises(InputError, match=r"none has 0\.5 s"):
        Talkers(np.full(4, 0.3), np.arange(4))


def test_overlap_ratio_by_hand() -> None:
    """2 s and 2 s with 1 s in common: 1 of 3 s; a third over both adds nothing twice."""
    assert overlap_ratio([(0.0, 2.0), (1.0, 3.0)]) == pytest.approx(1 / 3)
    assert overlap_ratio([(0.0, 2.0), (1.0, 3.0), (1.5, 2.0)]) == pytest.approx(1 / 3)
    assert overlap_ratio([]) == 0.0
