"""Two recordings of a speaker made into one, with a pause, and with noise as loud as the speech in all of it, in
stretches, or nowhere.

Like the synthetic corpora it is made of, it comes out bit for bit the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from earmark.bench.corpora.audio import SAMPLE_RATE_HZ
from earmark.bench.corpora.conditions import active_samples, gain_for, speech_shaped_noise
from earmark.bench.corpora.schema import WordRow
from earmark.bench.corpora.synthetic.acoustics import binary
from earmark.bench.corpora.synthetic.draws import Draws

Heard: TypeAlias = Literal["clean", "noisy", "changing"]
HEARD: tuple[Heard, ...] = get_args(Heard)
PAUSE_S = (0.3, 1.5)
STRETCH_S = (0.5, 1.5)
SNR_DB = 0.0
HUSH_DB = 40.0
"""A pause is so far below the speech around it."""
Signal: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """A recording (n,) int16 at 16 kHz, and its words."""

    pcm: NDArray[np.int16]
    words: Sequence[WordRow]


def join(name: str, parts: Sequence[Part], heard: Heard, draws: Draws) -> Part:
    """The parts one after another as one recording; ``name`` decides its pauses and its noise."""
    pieces, words, at = [], [], 0
    for place, part in enumerate(parts):
        if place:
            pieces.append(np.zeros(round(SAMPLE_RATE_HZ * draws.between(*PAUSE_S, name, "pause", place))))
            at += len(pieces[-1])
        words += [_later(word, at / SAMPLE_RATE_HZ) for word in part.words]
        pieces.append(part.pcm.astype(np.float64))
        at += len(part.pcm)
    speech = np.concatenate(pieces)
    noise = speech_shaped_noise(len(speech), f"varied|{name}")
    active = active_samples(speech)
    pause = ~np.concatenate([np.full(len(p), place % 2 == 0) for place, p in enumerate(pieces)])
    amount = loud(name, len(speech), heard, draws) + pause * 10 ** (-HUSH_DB / 20)
    sound = speech + noise * amount * binary(gain_for(speech[active], noise[active], SNR_DB), bits=40)
    peak = float(np.abs(sound).max())
    scaled = sound * binary(min(1.0, 32_767 / peak))
    return Part(np.rint(scaled).clip(-32_768, 32_767).astype(np.int16), words)


def loud(name: str, n: int, heard: Heard, draws: Draws) -> Signal:
    """(n,) of 1 where the noise is as loud as the speech, and 0 where there is none."""
    if heard != "changing":
        return np.full(n, float(heard == "noisy"))
    amount, at, on = np.zeros(n), 0, draws.unit(name, "first") < 0.5
    while at < n:
        end = at + round(SAMPLE_RATE_HZ * draws.between(*STRETCH_S, name, "stretch", at))
        amount[at:end] = float(on)
        at, on = end, not on
    return amount


def _later(word: WordRow, by_s: float) -> WordRow:
    return {"word": word["word"], "start": round(word["start"] + by_s, 4), "end": round(word["end"] + by_s, 4)}
