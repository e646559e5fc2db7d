"""Loud and quiet frames: split at a level below the loudest, whatever the chunks, in memory that doesn't grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.models._blocks.loudness import Loudness

HOP = 100


def heard(chunk: int) -> Loudness:
    """Four frames at -6 dB, -16 dB, -56 dB and silence, each with its own share."""
    amplitudes = np.repeat([0.5, 0.5 * 10**-0.5, 0.5 * 10**-2.5, 0.0], HOP).astype(np.float32)
    shares = torch.tensor([[0.8], [0.4], [0.2], [0.0]])
    log, done = Loudness(HOP, ["query"]), 0
    for at in range(0, len(amplitudes), chunk):
        whole = min(len(amplitudes), at + chunk) // HOP
        log.note(amplitudes[at : at + chunk], shares[done:whole] if whole > done else None)
        done = whole
    return log


@pytest.mark.parametrize("chunk", [1, 70, 100, 250, 400])
def test_frames_are_split_by_how_far_they_are_below_the_loudest(chunk: int) -> None:
    assert heard(chunk).probes() == pytest.approx(
        {"loud_frames": 2, "loud_rate_query": 0.6, "quiet_frames": 2, "quiet_rate_query": 0.1}
    )


def test_nothing_is_said_of_frames_that_there_are_not() -> None:
    assert Loudness(HOP, ["query"]).probes() == {}
    log = Loudness(HOP, ["query"])
    log.note(np.ones(HOP, dtype=np.float32), torch.ones(1, 1))
    assert set(log.probes()) == {"loud_frames", "loud_rate_query"}


def test_it_does_not_grow() -> None:
    log, rng = Loudness(HOP, ["query"]), np.random.default_rng(0)
    for _ in range(200):
        loud = 10 ** rng.uniform(-8, 0)
        log.note(np.full(3 * HOP + 7, loud, dtype=np.float32)[: 3 * HOP], torch.ones(3, 1))
    assert len(log.levels) <= 101
    assert len(log.rest) < HOP
