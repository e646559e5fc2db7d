"""Conversations of three turns on two channels, made by hand, and untrained models of two channels that talk.

It is a plugin file as well, of a model that has something to say without training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from earmark.bench.api import Example, ModelSpec, Turn, Word
from earmark.models._blocks.multitalker import MultiTalkerTransducer
from earmark.models.sts.model import build as build_sts

SPEC = ModelSpec("lanes", "conversation", "lanes:build", ("tiny",), "Apache-2.0", "tests")
RATE_HZ = 16_000


def words(text: str, start_s: float, end_s: float) -> tuple[Word, ...]:
    said, share = text.split(), (end_s - start_s) / max(1, len(text.split()))
    return tuple(Word(w, start_s + k * share, start_s + (k + 1) * share) for k, w in enumerate(said))


def turn(text: str, start_s: float, end_s: float, channel: int | None, *, timed: bool = True) -> Turn:
    said = words(text, start_s, end_s) if timed else ()
    return Turn(text, start_s, end_s, f"s{start_s}", said, channel)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hum = np.sin(2 * np.pi * (300 + 200 * np.sin(7 * t)) * t) * np.sin(2 * t) ** 2
    return (0.2 * hum + 0.02 * np.random.default_rng(seed).standard_normal(len(t))).astype(np.float32)


def talk(*, seed: int = 0, timed: bool = True) -> Example:
    """The second turn overlaps the first, the third follows the second on its channel, and ends last."""
    turns = (
        turn("a b", 0.0, 0.6, 0, timed=timed),
        turn("b", 0.42, 0.9, 1, timed=timed),
        turn("a a", 0.96, 1.2, 1, timed=timed),
    )
    return Example(f"talk{seed}", sound(1.2, seed), turns)


def alone(*, seed: int = 0) -> Example:
    return Example(f"alone{seed}", sound(0.8, seed), (turn("b a", 0.0, 0.8, 0),))


def talkative(model: MultiTalkerTransducer, blank: float = 0.0) -> MultiTalkerTransducer:
    """The model with strong opinions, as if it had heard something; ``blank`` is added to the blank's score."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in (model.joint.output, model.encoder.output, model.predictor.output):
            for weight in layer.parameters():
                nn.init.normal_(weight, generator=generator)
        model.joint.output.bias[0] += blank
        model.front.train()(torch.from_numpy(sound(1.0))[None], torch.tensor([RATE_HZ]))
    return model.eval()


def plain(tokens: Any) -> list[tuple[str, int, str]]:
    return [(token.text, token.channel, token.kind) for token in tokens]


def build(preset: str, **rest: Any) -> MultiTalkerTransducer:
    """The segmenter with strong opinions, none of which is to be silent for long."""
    return talkative(build_sts(preset, **rest), blank=20.0)
