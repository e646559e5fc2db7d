"""On dev, conversations are judged by turns and channels, in words as they are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from earmark.bench.api import Example, ModelInfo, Samples, Token, Turn
from earmark.bench.training.evaluate import Dev

pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")

TURNS = (Turn("Yes, it is.", 0.0, 1.0, channel=0), Turn("no", 0.5, 2.0, channel=1))


class Says:
    """The two turns, the first on the second channel, with a pause inside and punctuation of its own."""

    info = ModelInfo(16_000)

    def transcribe(self, batch: Sequence[Samples]) -> list[tuple[Token, ...]]:
        said = ((" Yes", 1, 0.1), (" no", 0, 0.9), (" it;", 1, 5.0), (" isn't", 1, 5.1))
        return [tuple(Token(text, channel, audio_s=at_s) for text, channel, at_s in said) for _ in batch]


def test_orc_wer_of_the_dev_split() -> None:
    """One of four words is wrong; the order of channels and a pause in a turn cost nothing."""
    dev = Dev([Example("a", np.zeros(10, dtype=np.float32), TURNS)])
    assert dev.metric(Says()) == "orc_wer"
    assert dev(Says()) == 0.25
