"""Impulse responses: closed forms for a bare room, decay for a reverberant one."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.corpora.conversations.rooms import (
    N_POSITIONS,
    SABINE_S_PER_M,
    SOUND_M_PER_S,
    Room,
    images,
    impulse_response,
    response,
)

RATE = 16_000
HERE, THERE = np.array([1.0, 1.5, 1.2]), np.array([4.0, 3.0, 1.6])


def test_walls_that_swallow_everything_leave_the_direct_sound() -> None:
    bare = Room((6.0, 5.0, 3.0), SABINE_S_PER_M * 90 / 126)
    assert bare.absorption == pytest.approx(1.0)
    heard = impulse_response(bare, HERE, THERE, RATE, 0.1)
    assert heard[0] == pytest.approx(1.0)
    assert not heard[1:].any()


def test_the_first_images_by_hand() -> None:
    """The direct path, and the one over the wall at x = 0, whose image stands at -x."""
    room = Room((6.0, 5.0, 3.0), 0.4)
    delays, gains = images(room, HERE, THERE, 0.1)
    reflection = np.sqrt(1 - room.absorption)
    for source, factor in ((HERE, 1.0), (HERE * [-1, 1, 1], reflection)):
        distance = np.linalg.norm(source - THERE)
        at = np.argmin(np.abs(delays - distance / SOUND_M_PER_S))
        assert delays[at] == pytest.approx(distance / SOUND_M_PER_S)
        assert gains[at] == pytest.approx(factor / (4 * np.pi * distance))
    assert delays.min() == pytest.approx(np.linalg.norm(HERE - THERE) / SOUND_M_PER_S)


@pytest.mark.parametrize("reverberation_s", [0.15, 0.3])
def test_sound_decays_about_as_fast_as_the_room_says(reverberation_s: float) -> None:
    """Schroeder's backward integral from -5 to -25 dB; Sabine's formula is known to be within some tens of percent."""
    heard = impulse_response(Room((6.0, 5.0, 3.0), reverberation_s), HERE, THERE, RATE, 0.4).astype(np.float64)
    left_db = 10 * np.log10(np.cumsum((heard**2)[::-1])[::-1] + 1e-20)
    start, stop = (int(np.argmax(left_db < level)) for level in (-5.0, -25.0))
    assert 3 * (stop - start) / RATE == pytest.approx(reverberation_s, rel=0.45)


def test_rooms_are_the_same_again_others_elsewhere_and_of_energy_one() -> None:
    one = response("0|train", 3, 1, RATE)
    assert np.array_equal(one, response("0|train", 3, 1 + N_POSITIONS, RATE))
    assert float(one @ one) == pytest.approx(1.0, abs=1e-4)
    for other in (response("0|measure", 3, 1, RATE), response("0|train", 4, 1, RATE), response("0|train", 3, 2, RATE)):
        assert not np.array_equal(one, other)
