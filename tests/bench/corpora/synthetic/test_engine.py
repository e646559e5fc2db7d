from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.corpora.synthetic.acoustics import binary, echo, rms, to_16_khz
from earmark.bench.corpora.synthetic.engine import Engine, Prompt, word_spans
from earmark.bench.corpora.synthetic.voices import ACCENTS, variants, voice

PROMPT = Prompt("seven two nine four", rate=180, pitch=45, pitch_range=50)
OTHER = Prompt("turn on the kitchen light", rate=150, pitch=20, pitch_range=35)


def test_speech_does_not_depend_on_what_others_said() -> None:
    with Engine() as engine:
        (first,) = engine.say(voice("en-us", "m3"), [PROMPT])
        list(engine.say(voice("en-gb", "f4"), [OTHER, OTHER]))
        (again,) = engine.say(voice("en-us", "m3"), [PROMPT])
    with Engine() as engine:
        (elsewhere,) = engine.say(voice("en-us", "m3"), [PROMPT])
    assert np.array_equal(first.samples, again.samples)
    assert np.array_equal(first.samples, elsewhere.samples)
    assert [word for word, _, _ in first.words] == PROMPT.text.split()
    assert first.words[-1][2] == len(first.samples)
    assert all(start < end for _, start, end in first.words)


def test_every_accent_speaks_and_an_unknown_voice_does_not() -> None:
    with Engine() as engine:
        heard = {next(iter(engine.say(voice(accent, "m3"), [PROMPT]))).samples.tobytes() for accent in ACCENTS}
        assert len(heard) == len(ACCENTS)
        with pytest.raises(ValueError, match="no voice 'en-xx'"):
            list(engine.say("en-xx", [PROMPT]))
        assert list(engine.say(voice("en-us", "m3"), [PROMPT]))


def test_an_engine_that_died_says_so() -> None:
    with Engine() as engine:
        engine.process.kill()
        engine.process.wait()
        with pytest.raises(RuntimeError, match="espeak-ng process ended"):
            list(engine.say(voice("en-us", "m3"), [PROMPT]))


def test_variants_are_many_and_genders_known_where_named() -> None:
    assert len(variants()) >= 60
    assert variants()["f4"] == "female"
    assert set(variants().values()) == {None, "female", "male"}


@pytest.mark.parametrize(
    ("text", "marks", "spans"),
    [
        ("one two", [(0, 0), (4, 300)], [("one", 0, 300), ("two", 300, 1000)]),
        ("in the garden", [(0, 0), (7, 500)], [("in", 0, 200), ("the", 200, 500), ("garden", 500, 1000)]),
        ("garden in the", [(0, 0), (7, 500)], [("garden", 0, 500), ("in", 500, 700), ("the", 700, 1000)]),
        ("one", [], [("one", 0, 1000)]),
    ],
)
def test_words_that_share_a_mark_share_its_span(text: str, marks: list[tuple[int, int]], spans: list[object]) -> None:
    assert list(word_spans(text, marks, 1000)) == spans


def test_resampling_keeps_a_tone() -> None:
    n = 22_050
    tone = np.rint(10_000 * np.sin(2 * np.pi * 441 * np.arange(n) / 22_050)).astype(np.int16)
    heard = to_16_khz(tone)
    expected = 10_000 * np.sin(2 * np.pi * 441 * np.arange(16_000) / 16_000)
    assert heard.shape == (16_000,)
    assert np.abs(heard[400:-400] - expected[400:-400]).max() < 20


def test_resampling_is_exact_arithmetic() -> None:
    heard = to_16_khz(np.random.default_rng(0).integers(-32_768, 32_767, 5_000).astype(np.int16))
    assert np.array_equal(heard * 2**20, np.rint(heard * 2**20)), "every value is a multiple of 2**-20"


def test_echo_of_an_impulse_is_its_taps() -> None:
    impulse = np.zeros(4_000)
    impulse[0] = 1.0
    heard = echo(impulse, 0.5)
    taps = np.flatnonzero(heard)
    assert len(taps) == 9
    assert heard[0] == 1.0
    assert heard[taps[1]] == 0.5
    assert heard[taps[2]] == 0.375
    assert np.array_equal(echo(impulse, 0.0), impulse)


def test_rms_and_binary() -> None:
    assert rms(np.array([3.0, -3.0, 3.4])) == 3.0
    assert binary(0.1, bits=4) == 2 / 16
