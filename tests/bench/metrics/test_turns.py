"""Turns paired with what they were said as, and their delays, worked out by hand."""

from __future__ import annotations

import pytest

from earmark.bench.metrics.conversation import Recording, SaidTurn, SpokenTurn
from earmark.bench.metrics.turns import (
    end_delay,
    first_word_delay,
    last_word_delay,
    matched_starts,
    pair_up,
    start_delay,
)

SPOKEN = (SpokenTurn("a b c", 0.1, 2.0), SpokenTurn("d e", 1.0, 3.0), SpokenTurn("f g", 4.0, 5.0))


def test_pairs_follow_words_and_channels() -> None:
    said = [
        SaidTurn(0, "a b c", 0.5, 2.1), SaidTurn(1, "d", 1.3, 1.3), SaidTurn(0, "x", 2.5, 2.5),
        SaidTurn(0, "f g", 4.4, 5.1),
    ]  # fmt: skip
    found = pair_up(Recording("r", SPOKEN, said), ("0", "1", "0"))
    assert [(pair.number, pair.said.text) for pair in found.pairs] == [(0, "a b c"), (1, "d"), (2, "f g")]
    assert (found.n_missed, found.n_spurious) == (0, 1)
    assert [pair.number for pair in found.ends] == [0, 1]
    assert [pair.number for pair in found.starts] == [1, 2]


def test_no_end_is_asked_of_the_turn_that_ends_last() -> None:
    """It needn't be the one that starts last."""
    spoken = (SpokenTurn("a b", 0.0, 9.0), SpokenTurn("c", 1.0, 2.0))
    found = pair_up(Recording("r", spoken, [SaidTurn(0, "a b", 1.0, 9.0), SaidTurn(1, "c", 2.0, 2.0)]), ("0", "1"))
    assert [pair.number for pair in found.ends] == [1]
    assert [pair.number for pair in found.starts] == [1]


def test_a_turn_that_nobody_said_is_missed() -> None:
    found = pair_up(Recording("r", SPOKEN, [SaidTurn(0, "f g", 4.4, 5.1)]), ("0", "0", "0"))
    assert [pair.number for pair in found.pairs] == [2]
    assert (found.n_missed, found.n_spurious) == (2, 0)
    assert pair_up(Recording("r", SPOKEN, []), ("0", "0", "0")).pairs == ()


def test_delays_by_hand() -> None:
    """The second: opened 0.2 s and heard 0.4 s after it began, last heard 0.1 s and closed 0.3 s after it ended."""
    said = [SaidTurn(0, "a b c", 0.5, 2.1, closed_s=1.9), SaidTurn(1, "d e", 1.4, 3.1, 1.2, 3.3)]
    first, second = pair_up(Recording("r", SPOKEN[:2], said), ("0", "1")).pairs
    assert end_delay(second) == pytest.approx(0.3)
    assert last_word_delay(second) == pytest.approx(0.1)
    assert start_delay(second) == pytest.approx(0.2)
    assert first_word_delay(second) == pytest.approx(0.4)
    assert end_delay(first) == pytest.approx(-0.1)
    assert start_delay(first) is None


@pytest.mark.parametrize(
    ("starts", "n"),
    [((0.2, 1.1, 4.2), 3), ((0.2, 0.3, 4.2), 3), ((0.2, 4.2), 2), ((2.5,), 0), ((), 0), ((1.9, 1.95), 1), ((3.0,), 1)],
)
def test_starts_are_matched_one_to_one_within_a_second(starts: tuple[float, ...], n: int) -> None:
    """Spoken at 0.1, 1 and 4 s; the latest that matches a start lies a second from it."""
    said = [SaidTurn(0, "x", start + 9, start + 9, opened_s=start) for start in starts]
    assert matched_starts(Recording("r", SPOKEN, said)) == n


def test_a_turn_without_a_token_starts_with_its_first_text() -> None:
    assert matched_starts(Recording("r", SPOKEN, [SaidTurn(0, "a", 0.9, 2.0)])) == 1
