"""From clean speech to a recording: resampling, dull voices, rooms, level and noise.

Built to come out bit for bit the same on every machine: filter coefficients and gains are rounded to binary fractions,
so that most sums are exact in float64; energies are sums of integers; noise is raw generator bits; and samples are
rounded to 16 bits once, at the end.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from earmark.bench.corpora.audio import SAMPLE_RATE_HZ
from earmark.bench.corpora.conditions import speech_shaped_noise
from earmark.bench.corpora.schema import WordRow
from earmark.bench.corpora.synthetic.engine import Speech
from earmark.bench.corpora.synthetic.espeak import RATE_HZ
from earmark.bench.corpora.synthetic.plan import Utterance

Signal = NDArray[np.float64]
_UP, _DOWN = 320, 441  # 22,050 Hz * 320 / 441 = 16,000 Hz
_DELAY = 10  # samples at 16 kHz: the filter reaches ten zero crossings to either side
_ECHOES_S = (0.0113, 0.0197, 0.0311, 0.0431, 0.0573, 0.0719, 0.0937, 0.1193)
_FULL_SCALE = 32_768.0


def render(speech: Speech, utterance: Utterance) -> tuple[NDArray[np.int16], list[WordRow]]:
    """The recording (n,) int16 at 16 kHz, and its words with their times in it."""
    lead, tail = (round(s * SAMPLE_RATE_HZ) for s in (utterance.lead_s, utterance.tail_s))
    voice = to_16_khz(speech.samples)
    if utterance.dull:
        voice = dull(voice)
    dry = np.concatenate([np.zeros(lead), voice, np.zeros(tail)])
    wet = echo(dry, utterance.room)
    loud = wet * binary(_amplitude(utterance.level_db) / rms(wet[lead : lead + len(voice)]))
    noise = speech_shaped_noise(len(loud), f"synthetic|{utterance.id}")
    heard = loud + noise * binary(_amplitude(utterance.level_db - utterance.snr_db) / rms(noise), bits=40)
    pcm = np.clip(np.rint(heard), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return pcm, [_word(span, lead / SAMPLE_RATE_HZ) for span in speech.words]


def to_16_khz(samples: NDArray[np.int16]) -> Signal:
    """Samples (n,) at 22,050 Hz at 16,000 Hz, on the same scale; every product and sum is exact."""
    from scipy.signal import upfirdn

    n = -(-len(samples) * _UP // _DOWN)
    heard = np.asarray(upfirdn(_taps(), samples.astype(np.float64), _UP, _DOWN), dtype=np.float64)
    return heard[_DELAY : _DELAY + n]


@cache
def _taps() -> Signal:
    """A low-pass filter at the lower rate's limit with a gain of ``_UP``, in steps of 2**-20."""
    from scipy.signal import firwin

    taps = firwin(2 * _DELAY * _DOWN + 1, 1 / _DOWN, window=("kaiser", 5.0))
    return np.asarray(np.rint(taps * _UP * 2**20) / 2**20, dtype=np.float64)


def dull(samples: Signal) -> Signal:
    """One pole at 730 Hz: 6 dB less for every octave above."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([0.25], [1.0, -0.75], samples), dtype=np.float64)


def echo(samples: Signal, strength: float) -> Signal:
    """Samples (n,) with eight echoes over 120 ms, each ``strength`` times weaker than the one before on average."""
    heard = samples.copy()
    gain = 1.0
    for index, delay_s in enumerate(_ECHOES_S):
        delay = round(delay_s * SAMPLE_RATE_HZ)
        gain = binary(gain * (strength if index == 0 else 0.5 + strength / 2))
        heard[delay:] += gain * samples[: len(samples) - delay]
    return heard


def rms(samples: Signal) -> float:
    """Root mean square of the samples rounded to integers; the sum is exact."""
    whole = np.rint(samples).astype(np.int64)
    return math.sqrt(int((whole * whole).sum()) / len(whole))


def binary(value: float, bits: int = 20) -> float:
    """``value`` rounded to a multiple of ``2**-bits``: hides the last digits in which math libraries differ."""
    return float(round(value * 2**bits) / 2**bits)


def _amplitude(level_db: float) -> float:
    return float(_FULL_SCALE * 10 ** (level_db / 20))


def _word(span: tuple[str, int, int], lead_s: float) -> WordRow:
    word, first, last = span
    return {"word": word, "start": round(lead_s + first / RATE_HZ, 4), "end": round(lead_s + last / RATE_HZ, 4)}
