"""What is heard of a plan: every turn where it was put, as loud as it was meant to be."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.api import Samples, Word
from earmark.bench.corpora.conversations.mixing import Pool, heard, turns_of, utterance_of
from earmark.bench.corpora.conversations.plan import Placed, Plan

RATE = 16_000
LEAD, SPEECH, TAIL = 800, 16_000, 400


def recording(hz: float, amplitude: float) -> Samples:
    """A tone of a second between a bit of silence."""
    tone = amplitude * np.sin(2 * np.pi * hz * np.arange(SPEECH) / RATE)
    return np.concatenate([np.zeros(LEAD), tone, np.zeros(TAIL)]).astype(np.float32)


@pytest.fixture
def pool() -> Pool:
    sounds = [recording(500, 0.1), recording(1000, 0.02), recording(1500, 0.05)]
    words = [Word("la", LEAD / RATE, 0.5), Word("la", 0.5, (LEAD + SPEECH) / RATE)]
    made = [utterance_of(name, "la la", words, sound, RATE) for name, sound in zip("abc", sounds, strict=True)]
    return Pool(RATE, made, sounds.__getitem__)


PLAN = Plan((Placed(0, 0.0, 3.0), Placed(1, 0.6, 0.0), Placed(0, 1.7, 3.0)), reference=1, room=None)


def test_turns_lie_where_they_were_put(pool: Pool) -> None:
    turns = turns_of(PLAN, pool)
    lead_s = LEAD / RATE
    assert [turn.start_s for turn in turns] == pytest.approx([lead_s, lead_s + 0.6, lead_s + 1.7])
    assert [turn.end_s - turn.start_s for turn in turns] == pytest.approx([1.0] * 3)
    assert [turn.channel for turn in turns] == [0, 1, 1]
    assert [turn.speaker for turn in turns] == ["a", "b", "a"]
    assert [word.start_s for word in turns[1].words] == pytest.approx([lead_s + 0.6, 0.6 + 0.5])


def test_alone_a_turn_has_the_level_of_its_speaker(pool: Pool) -> None:
    """b is the reference and keeps its amplitude of 0.02; a lies 3 dB above, whatever it was."""
    samples = heard(PLAN, pool, rooms="")
    assert len(samples) == LEAD + round(1.7 * RATE) + SPEECH + TAIL
    alone = samples[LEAD : LEAD + round(0.6 * RATE)], samples[LEAD + SPEECH : LEAD + round(1.6 * RATE)]
    amplitude = [np.sqrt(2 * np.mean(part.astype(np.float64) ** 2)) for part in alone]
    assert amplitude == pytest.approx([0.02 * 10 ** (3 / 20), 0.02], rel=1e-2)


def test_what_would_be_too_loud_is_turned_down_together(pool: Pool) -> None:
    loud = Pool(RATE, pool.utterances, lambda place: 60 * pool.samples(place))
    samples = heard(PLAN, loud, rooms="")
    assert np.abs(samples).max() == pytest.approx(1.0)
    assert np.allclose(
        samples / samples.max(), heard(PLAN, pool, rooms="") / heard(PLAN, pool, rooms="").max(), atol=1e-5
    )


def test_a_room_changes_what_is_heard_and_not_when(pool: Pool) -> None:
    dry = heard(PLAN, pool, rooms="0|train")
    wet = heard(Plan(PLAN.turns, PLAN.reference, room=5), pool, rooms="0|train")
    assert len(wet) == len(dry)
    assert np.abs(wet[:LEAD]).max() < 1e-6
    assert np.abs(wet[LEAD : LEAD + 160]).max() > 0
    assert not np.allclose(wet, dry, atol=1e-3)


def test_speech_without_word_times_lies_where_there_is_no_silence() -> None:
    found = utterance_of("a", "la", (), recording(500, 0.1), RATE)
    assert (found.start_s, found.end_s) == pytest.approx((LEAD / RATE, (LEAD + SPEECH) / RATE), abs=0.06)
    assert found.power == pytest.approx(0.1**2 / 2, rel=0.05)
