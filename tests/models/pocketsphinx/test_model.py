"""The wrapped engine: the cutting and buffering on a fake engine, the promises of a stream on the real one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from earmark.bench.api import CountsWork, InputError, Recognizer, Samples, Stream, Token, Unsupported
from earmark.models.pocketsphinx.model import BLOCK, Options, PocketSphinx, SphinxStream, build, read_hypothesis

pytest.importorskip("pocketsphinx", reason="NOT TESTED: pocketsphinx is not installed")


def _segment(word: str, start_frame: int, end_frame: int) -> Any:
    return SimpleNamespace(word=word, start_frame=start_frame, end_frame=end_frame)


@dataclass
class FakeEngine:
    """Hears one word in every loud block and silence in every other; keeps the block sizes."""

    sizes: list[int] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    n_utterances: int = 0

    def start_utt(self) -> None:
        self.heard = []
        self.n_utterances += 1

    def process_raw(self, data: bytes) -> None:
        pcm = np.frombuffer(data, dtype=np.int16)
        self.sizes.append(len(pcm))
        word = f"w{len(self.sizes)}(2)" if np.abs(pcm).max(initial=0) > 1000 else "<sil>"
        start = 4 * len(self.heard)
        self.heard.append(_segment(word, start, start + 3))

    def end_utt(self) -> None:
        pass

    def seg(self) -> list[Any] | None:
        return self.heard or None


@dataclass
class FakeModel:
    options: Options
    engine: FakeEngine = field(default_factory=FakeEngine)
    idle: list[Any] = field(default_factory=list)

    def take_decoder(self) -> Any:
        return self.engine

    def give_back(self, decoder: Any) -> None:
        self.idle.append(decoder)


def _fake(options: Options | None = None) -> tuple[SphinxStream, FakeModel]:
    model: Any = FakeModel(options or Options())
    return SphinxStream(model), model


def _blocks(pattern: str) -> Samples:
    """One block a letter: "x" loud, "." silent."""
    return np.repeat([0.5 if letter == "x" else 0.0 for letter in pattern], BLOCK).astype(np.float32)


def _words(tokens: tuple[Token, ...]) -> list[str]:
    return "".join(token.text for token in tokens).split()


def test_fillers_and_pronunciation_numbers_are_stripped() -> None:
    heard = [_segment("<s>", 0, 4), _segment("read(2)", 5, 29), _segment("[NOISE]", 30, 39), _segment("</s>", 40, 49)]
    found = read_hypothesis(heard, start=16_000, n_fed=100_000)
    assert found.words == (Token(" read", audio_s=1.3),)
    assert found.pause_s == pytest.approx(0.2)


def test_no_word_ends_after_the_audio_that_was_fed() -> None:
    assert read_hypothesis([_segment("a", 0, 99)], start=0, n_fed=8_000).words[0].audio_s == 0.5
    assert read_hypothesis(None, start=0, n_fed=0).words == ()


def test_a_pause_makes_words_final_and_opens_a_new_segment() -> None:
    stream, model = _fake(Options(endpoint_silence_s=0.2))  # 5 blocks
    update = stream.accept(_blocks("x...."))
    assert (update.final, _words(update.partial or ())) == ((), ["w1"])
    update = stream.accept(_blocks(".x"))
    assert _words(update.final) == ["w1"]
    assert _words(update.partial or ()) == ["w7"]
    assert update.final[0].audio_s == 0.04
    assert (update.partial or ())[0].audio_s == 0.28
    assert _words(stream.finish().final) == ["w7"]
    assert model.engine.n_utterances == 2


def test_silence_alone_ends_no_segment_before_the_longest() -> None:
    stream, model = _fake(Options(max_segment_s=1.0, endpoint_silence_s=0.1))
    stream.accept(_blocks("." * 60))  # 2.4 s
    assert model.engine.n_utterances == 3


def test_a_segment_without_pause_is_cut_at_its_longest() -> None:
    stream, _ = _fake(Options(max_segment_s=1.0))
    update = stream.accept(_blocks("x" * 26))
    assert len(update.final) == 25
    assert len(update.partial or ()) == 1


@pytest.mark.parametrize("chunk", [1, 160, 639, 641, 5_000])
def test_the_engine_gets_blocks_of_one_size(chunk: int) -> None:
    stream, model = _fake()
    samples = np.zeros(4 * BLOCK + 7, dtype=np.float32)
    for start in range(0, len(samples), chunk):
        stream.accept(samples[start : start + chunk])
        assert len(stream._rest) < BLOCK
    stream.finish()
    assert model.engine.sizes == [BLOCK] * 4 + [7]


def test_partial_is_unchanged_until_a_block_is_full() -> None:
    stream, _ = _fake()
    assert stream.accept(np.zeros(BLOCK - 1, dtype=np.float32)).partial is None
    assert stream.accept(np.zeros(1, dtype=np.float32)).partial == ()


def test_a_finished_stream_gives_its_decoder_back_once() -> None:
    stream, model = _fake()
    stream.finish()
    stream.finish()
    assert model.idle == [model.engine]
    with pytest.raises(RuntimeError, match="finished"):
        stream.accept(_blocks("x"))


# --- the real engine -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> PocketSphinx:
    return build("default", options={"max_states": 1000}, vocabulary=None, seed=0, device="cpu")


FORMANTS_HZ = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "u": (300, 870)}  # Peterson and Barney (1952)


def _vowels(letters: str, pitch_hz: float = 120.0) -> Samples:
    """Vowels of 0.16 s: harmonics with two resonances, and a little noise. The engine takes them for words."""
    n = 2_560
    harmonics = np.arange(1, int(4_000 / pitch_hz)) * pitch_hz
    waves = np.cos(2 * np.pi * np.outer(np.arange(n) / 16_000, harmonics))  # (n, harmonics)
    fade = np.sqrt(np.sin(np.pi * np.arange(n) / n))
    vowels = []
    for first, second in (FORMANTS_HZ[letter] for letter in letters):
        weights = 1 / (1 + ((harmonics - first) / 80) ** 2) + 0.5 / (1 + ((harmonics - second) / 120) ** 2) + 0.02
        vowel = waves @ weights * fade
        vowels.append(0.3 * vowel / np.abs(vowel).max())
    samples = np.concatenate(vowels)
    return np.asarray(samples + 1e-3 * np.random.default_rng(0).standard_normal(len(samples)), dtype=np.float32)


def _decode(stream: Stream, samples: Samples, chunk: int) -> tuple[Token, ...]:
    final: list[Token] = []
    for start in range(0, len(samples), chunk):
        final += stream.accept(samples[start : start + chunk]).final
    return (*final, *stream.finish().final)


def test_it_is_a_recognizer_with_the_parameters_of_its_files(model: PocketSphinx) -> None:
    assert isinstance(model, Recognizer)
    assert not isinstance(model.stream(), CountsWork)
    # 42 codebooks x 128 densities x 39 dimensions, mean and variance; 5126 states x 3 streams x 128 weights
    assert model.info.n_parameters == 2 * 42 * 128 * 39 + 5126 * 3 * 128


def test_any_chunking_and_any_stream_before_give_the_same_words(model: PocketSphinx) -> None:
    samples = _vowels("aiueai")
    expected = _decode(model.stream(), samples, 1_920)
    assert expected
    _decode(model.stream(), _vowels("uu", pitch_hz=200), 640)  # moves the cepstral mean of the same decoder
    assert _decode(model.stream(), samples, 777) == expected
    assert all(token.audio_s is not None and 0 < token.audio_s <= 0.96 for token in expected)


def test_streams_at_the_same_time_do_not_mix(model: PocketSphinx) -> None:
    one, two = _vowels("aiu"), _vowels("eae")
    expected = [_decode(model.stream(), samples, 1_920) for samples in (one, two)]
    first, second = model.stream(), model.stream()
    for start in range(0, len(one), BLOCK):
        first.accept(one[start : start + BLOCK])
        second.accept(two[start : start + BLOCK])
    assert [first.finish().final, second.finish().final] == expected
    assert expected[0] != expected[1]


@pytest.mark.parametrize("n", [0, 1, BLOCK, BLOCK + 1, 6_400])
def test_short_silence_says_nothing(model: PocketSphinx, n: int) -> None:
    stream = model.stream()
    if n:
        assert stream.accept(np.zeros(n, dtype=np.float32)).final == ()
    assert stream.finish().final == ()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(model: PocketSphinx, bad: float) -> None:
    with pytest.raises(InputError, match="sample 0 is"):
        model.stream().accept(np.array([bad], dtype=np.float32))


def test_loud_samples_are_clipped_not_wrapped(model: PocketSphinx) -> None:
    samples = _vowels("ea") * 30
    assert _decode(model.stream(), samples, 640) == _decode(model.stream(), np.clip(samples, -1, 1), 640)


@pytest.mark.parametrize(
    ("preset", "options", "says"),
    [
        ("huge", {}, "choose one of: default"),
        ("default", {"max_segments": 3.0}, "did you mean 'max_segment_s'"),
        ("default", {"max_segment_s": 0.5}, "give 1 to 120"),
        ("default", {"second_pass": "no"}, "of type bool"),
    ],
)
def test_bad_choices_are_refused(preset: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(preset, options=options, vocabulary=None, seed=0, device="cpu")


def test_a_vocabulary_is_all_that_can_be_heard() -> None:
    closed = build("default", options={}, vocabulary=["yes", "no", "qwzx"], seed=0, device="cpu")
    heard = _words(_decode(closed.stream(), _vowels("aiueoeai".replace("o", "u")), 1_920))
    assert heard
    assert set(heard) <= {"yes", "no"}
    second = closed.stream()
    assert set(_words(_decode(closed.stream(), _vowels("aiue"), 1_920))) <= {"yes", "no"}  # a decoder loaded later
    second.finish()


def test_a_vocabulary_of_unknown_words_is_refused() -> None:
    with pytest.raises(InputError, match="no word of the vocabulary"):
        build("default", options={}, vocabulary=["qwzx"], seed=0, device="cpu")


def test_other_devices_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="CPU only"):
        build("default", options={}, vocabulary=None, seed=0, device="cuda")


# --- real words, made by espeak-ng in a process of its own ---------------------------------------------------------

SPEAK = """
import ctypes, sys, espeakng_loader
lib = ctypes.CDLL(espeakng_loader.get_library_path())
rate = lib.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
out = open(sys.argv[1], "wb")
def take(wave, n, events):
    if wave and n:
        out.write(ctypes.string_at(wave, 2 * n))
    return 0
kept = callback(take)
lib.espeak_SetSynthCallback(kept)
lib.espeak_SetVoiceByName(b"en-us")
text = sys.argv[2].encode()
lib.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
lib.espeak_Synchronize()
out.close()
print(rate)
"""


def _speak(text: str, folder: Path) -> Samples:
    from scipy.signal import resample_poly

    file = folder / "speech.raw"
    done = subprocess.run([sys.executable, "-c", SPEAK, str(file), text], capture_output=True, check=True, text=True)
    samples = np.frombuffer(file.read_bytes(), dtype=np.int16) / 32768
    return np.asarray(resample_poly(samples, 16_000, int(done.stdout)), dtype=np.float32)


@pytest.mark.slow
def test_spoken_words_are_heard_in_order_whatever_the_chunks(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    model = build("default", options={}, vocabulary=None, seed=0, device="cpu")
    speech = _speak("please open the window and turn on the light", tmp_path)
    samples = np.concatenate([speech, np.zeros(16_000, np.float32), speech])
    expected = _decode(model.stream(), samples, 1_920)
    assert len(_words(expected)) >= 8  # 18 were spoken; the engine knows espeak's voice badly
    assert {"open", "window", "turn", "light"} & set(_words(expected))
    times = [token.audio_s or 0.0 for token in expected]
    assert all(a < b for a, b in pairwise(times))
    for chunk in (333, 16_000, len(samples)):
        assert _decode(model.stream(), samples, chunk) == expected


@pytest.mark.slow
def test_final_words_never_change_and_come_early_at_a_pause(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    model = build("default", options={}, vocabulary=None, seed=0, device="cpu")
    speech = _speak("good morning everybody", tmp_path)
    samples = np.concatenate([speech, np.zeros(24_000, np.float32)])
    early, late = model.stream(), model.stream()
    first = early.accept(samples).final
    assert first, "the pause did not end the segment"
    assert late.accept(np.concatenate([samples, _vowels("aiueai")])).final[: len(first)] == first


@pytest.mark.slow
def test_memory_stays_flat_over_many_segments() -> None:
    model = build("default", options={"max_segment_s": 3.0, "max_states": 1000}, vocabulary=None, seed=0, device="cpu")
    stream, minute = model.stream(), np.tile(_vowels("aiueai"), 32)
    process = psutil.Process()
    resident: list[int] = []
    n_final = 0
    for start in range(0, len(minute), 16_000):
        n_final += len(stream.accept(minute[start : start + 16_000]).final)
        resident.append(process.memory_info().rss)
    assert n_final > 20
    assert resident[-1] - resident[9] < 8 * 2**20  # after three segments nothing more is kept
