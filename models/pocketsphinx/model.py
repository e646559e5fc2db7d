"""PocketSphinx (https://github.com/cmusphinx/pocketsphinx) behind the streaming contract.

The engine decodes utterances, not endless streams, and what it says depends on how its caller cuts the audio. Three
measures make it keep the promises of a stream: audio reaches it in blocks of one size, a stream gets a decoder of its
own whose front end starts afresh, and long audio is cut into segments at pauses.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import Condition, InputError, Json, ModelInfo, Samples, Token, Unsupported, Update
from earmark.models._blocks.checks import check_preset, check_samples, in_range, read_options

if TYPE_CHECKING:
    from pocketsphinx import Decoder

NAME = "pocketsphinx"
SAMPLE_RATE_HZ = 16_000
HOP = 160
"""Samples from one of the engine's frames to the next, 10 ms."""
BLOCK = 640
"""Samples per call of the engine, 40 ms. The engine's cepstral mean moves between calls, so other sizes give other
scores; and a first call that holds no whole frame (410 samples) would leave the last utterance's frames in use."""
LOOKAHEAD_S = 0.1
"""Rest of a 25.6 ms frame, 3 frames of delta window, 5 frames of phone look-ahead."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of the search and of the cuts; README.md says what each is worth."""

    second_pass: bool = True
    """Search each finished segment again over the words found (the engine's flat-lexicon and best-path passes)."""
    beam: float = 1e-48
    """Width of the first pass: states less likely than the best by this factor are dropped."""
    word_beam: float = 7e-29
    """The same for ends of words."""
    max_states: int = 30_000
    """Hidden Markov models alive in a frame at most, about."""
    endpoint_silence_s: float = 0.6
    """A pause of this length after a word ends a segment."""
    max_segment_s: float = 20.0
    """A segment ends here at the latest, in the middle of a word if need be."""

    def __post_init__(self) -> None:
        in_range("beam", self.beam, 1e-200, 1.0, plugin=NAME)
        in_range("word_beam", self.word_beam, 1e-200, 1.0, plugin=NAME)
        in_range("max_states", self.max_states, 100, 1_000_000, plugin=NAME)
        in_range("endpoint_silence_s", self.endpoint_silence_s, 0.1, 10.0, plugin=NAME)
        in_range("max_segment_s", self.max_segment_s, 1.0, 120.0, plugin=NAME)

    def engine(self) -> dict[str, Any]:
        """These options under the engine's names."""
        return {
            "fwdflat": self.second_pass,
            "bestpath": self.second_pass,
            "beam": self.beam,
            "pbeam": self.beam,
            "wbeam": self.word_beam,
            "maxhmmpf": self.max_states,
        }


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the engine makes of the segment so far: words, and the length of the pause after the last of them."""

    words: tuple[Token, ...]
    pause_s: float


def read_hypothesis(segments: Iterable[Any] | None, *, start: int, n_fed: int) -> Hypothesis:
    """The engine's word segmentation as tokens.

    ``start`` is the sample where the segment began and ``n_fed`` the number fed so far. Fillers (``<sil>``,
    ``[NOISE]``) are left out, pronunciation numbers (``read(2)``) dropped. ``audio_s`` is the end of the word as the
    engine has it.
    """
    words: list[Token] = []
    pause = 0  # frames
    for segment in segments or ():
        if segment.word[0] in "<[":
            pause += segment.end_frame - segment.start_frame + 1
        else:
            end = min(start + (segment.end_frame + 1) * HOP, n_fed)
            words.append(Token(" " + re.sub(r"\(\d+\)$", "", segment.word), audio_s=end / SAMPLE_RATE_HZ))
            pause = 0
    return Hypothesis(tuple(words), pause * HOP / SAMPLE_RATE_HZ)


class SphinxStream:
    """One recording; holds a decoder of its own until it is finished."""

    def __init__(self, model: PocketSphinx) -> None:
        self._model, self._options = model, model.options
        self._decoder: Decoder | None = model.take_decoder()
        self._rest = np.zeros(0, dtype=np.float32)  # fewer than BLOCK samples
        self._n_fed = 0  # samples the engine has had
        self._start: int | None = None  # first sample of the open segment

    def accept(self, samples: Samples) -> Update:
        """Take samples (n,); words are final where a segment ends, the rest is partial."""
        check_samples(samples, plugin=NAME)
        audio = np.concatenate([self._rest, samples])
        n_blocks = len(audio) // BLOCK
        final: list[Token] = []
        partial: tuple[Token, ...] | None = None
        for block in audio[: n_blocks * BLOCK].reshape(n_blocks, BLOCK):
            found = self._feed(block)
            partial = found.words
            if self._is_over(found):
                final += self._close()
                partial = ()
        self._rest = audio[n_blocks * BLOCK :].copy()
        return Update(tuple(final), partial)

    def finish(self) -> Update:
        """Close the open segment. What is left of a block (under 40 ms) counts only if a segment is open."""
        if self._start is None:
            final: tuple[Token, ...] = ()
        else:
            if len(self._rest):
                self._feed(self._rest)
            final = self._close()
        if self._decoder is not None:
            self._model.give_back(self._decoder)
            self._decoder = None
        return Update(final, ())

    def _feed(self, samples: Samples) -> Hypothesis:
        """Decode one block and read the running hypothesis; opens a segment where none is."""
        if self._start is None:
            self._engine.start_utt()
            self._start = self._n_fed
        self._engine.process_raw(to_pcm(samples))
        self._n_fed += len(samples)
        return self._read()

    def _is_over(self, found: Hypothesis) -> bool:
        assert self._start is not None
        too_long = self._n_fed - self._start >= self._options.max_segment_s * SAMPLE_RATE_HZ
        return too_long or bool(found.words and found.pause_s >= self._options.endpoint_silence_s)

    def _close(self) -> tuple[Token, ...]:
        """End the segment: the engine's second pass runs and its words are final."""
        self._engine.end_utt()
        found = self._read()
        self._start = None
        return found.words

    def _read(self) -> Hypothesis:
        return read_hypothesis(self._engine.seg(), start=self._start or 0, n_fed=self._n_fed)

    @property
    def _engine(self) -> Decoder:
        if self._decoder is None:
            raise RuntimeError("this stream is finished")
        return self._decoder


class PocketSphinx:
    """A :class:`earmark.bench.api.Recognizer`. Decoders of finished streams are used again; loading one takes long."""

    def __init__(self, options: Options, vocabulary: Sequence[str] | None = None) -> None:
        self.options = options
        self._folder: TemporaryDirectory[str] | None = None
        self._engine_options = options.engine()
        first = self._load()
        if vocabulary is not None:
            self._folder = TemporaryDirectory(prefix=f"{NAME}-")  # for as long as decoders may be loaded
            model = write_unigrams(Path(self._folder.name), [w for w in vocabulary if first.lookup_word(w)])
            self._engine_options["lm"] = str(model)
            first = self._load()
        self._idle = [first]
        # Parameters are the acoustic model's; the corpora behind it and the language model are not published.
        self.info = ModelInfo(
            SAMPLE_RATE_HZ,
            chunk_s=BLOCK / SAMPLE_RATE_HZ,
            lookahead_s=LOOKAHEAD_S,
            n_parameters=count_parameters(Path(first.config["hmm"])),
            trained_on=("undisclosed",),
        )

    def stream(self, condition: Condition | None = None) -> SphinxStream:  # noqa: ARG002 (no conditions)
        """A new stream."""
        return SphinxStream(self)

    def take_decoder(self) -> Decoder:
        """A decoder as good as new: the front end, with its cepstral mean, is made again (0.1 ms).

        Setting the mean back with ``set_cmn`` is not enough, for the number of frames behind it stays.
        """
        decoder = self._idle.pop() if self._idle else self._load()
        decoder.reinit_feat()
        return decoder

    def give_back(self, decoder: Decoder) -> None:
        """Keep the decoder of a finished stream. One dropped halfway just goes: its utterance is still open."""
        self._idle.append(decoder)

    def _load(self) -> Decoder:
        from pocketsphinx import Decoder

        return Decoder(loglevel="FATAL", **self._engine_options)


def to_pcm(samples: Samples) -> bytes:
    """16-bit samples, native byte order; what lies outside [-1, 1] is clipped."""
    pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    return bytes(pcm.tobytes())


def write_unigrams(folder: Path, words: Sequence[str]) -> Path:
    """An ARPA language model in which every word, and the end, is equally likely at any time.

    Raises:
        InputError: no words.
    """
    if not words:
        raise InputError("no word of the vocabulary is in the dictionary", where=NAME, fix="give English words")
    log10 = -math.log10(len(words) + 1)
    entries = ["-99 <s>", *(f"{log10:.6f} {word}" for word in ["</s>", *words])]
    path = folder / "vocabulary.lm"
    text = "\n".join(["\\data\\", f"ngram 1={len(entries)}", "", "\\1-grams:", *entries, "", "\\end\\", ""])
    path.write_text(text, encoding="utf-8")
    return path


def count_parameters(acoustic_model: Path) -> int:
    """Means and variances of the Gaussians and one mixture weight for each of them and each state that uses it.

    Read from the headers of a semi-continuous or phonetically tied model: ``means`` (codebooks, streams, densities a
    stream, number of floats) and ``sendump`` (densities, states). The language model's n-grams are not in it.
    """
    header = (acoustic_model / "means").read_bytes().split(b"endhdr\n", 1)[1]
    _, n_codebooks, n_streams, n_densities = struct.unpack_from("<4i", header)
    widths = struct.unpack_from(f"<{n_streams}i", header, 16)
    n_gaussian = 2 * n_codebooks * n_densities * sum(widths)
    return int(n_gaussian + n_streams * n_densities * _count_states(acoustic_model / "sendump"))


def _count_states(sendump: Path) -> int:
    """The number of tied states: after a list of strings, each with its length before it and a zero length at the end,
    come the number of densities and this."""
    data, at = sendump.read_bytes(), 0
    while length := struct.unpack_from("<i", data, at)[0]:
        at += 4 + length
    return int(struct.unpack_from("<2i", data, at + 4)[1])


def build(
    preset: str,
    *,
    options: Mapping[str, Json],
    vocabulary: Sequence[str] | None,
    seed: int,
    device: str,
) -> PocketSphinx:
    """The engine with its own acoustic model, on the CPU; ``seed`` changes nothing.

    With a ``vocabulary`` only its words can be heard, all equally likely, in place of the package's language model;
    words that the dictionary lacks are left out.
    """
    check_preset(preset, ("default",), plugin=NAME)
    chosen = read_options(Options, options, plugin=NAME)
    if device != "cpu":
        raise Unsupported(f"device {device!r}: PocketSphinx runs on the CPU only")
    try:
        import pocketsphinx  # noqa: F401
    except ImportError as error:
        raise Unsupported(f"pocketsphinx can't be imported ({error}): pip install pocketsphinx") from error
    return PocketSphinx(chosen, vocabulary)
