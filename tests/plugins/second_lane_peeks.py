"""Breaks causality on its second channel alone: what is said there depends on audio that is still to come."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from fakes.conversation import TalkStream, TinyConversation
from fakes.recognizer import builder

from earmark.bench.api import Condition, ModelSpec, Samples, Token, Update


class Peeking(TalkStream):
    def accept(self, samples: Samples) -> Update:
        update = super().accept(samples)
        whole = samples if samples.base is None else np.asarray(samples.base)
        loudness = int(1e6 * float(np.abs(whole).mean()))
        return Update(tuple(self.told(token, loudness) for token in update.final))

    def told(self, token: Token, loudness: int) -> Token:
        heard = token.channel == 1 and token.kind == "text"
        return replace(token, text=f"{token.text}{loudness}") if heard else token


class SecondLanePeeks(TinyConversation):
    def stream(self, condition: Condition | None = None) -> Peeking:
        return Peeking(self, condition)


build = builder(SecondLanePeeks)
SPEC = ModelSpec("second_lane_peeks", "conversation", "second_lane_peeks:build", ("tiny",), "Apache-2.0", "tests")
