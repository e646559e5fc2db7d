"""The thing under test: builds the plugin, keeps what it has built, and plays audio through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from earmark.bench import registry
from earmark.bench.api import HasInfo, Json, ModelSpec, Recognizer, SpeakerEmbedder, Stream, Token, Update
from earmark.bench.contract import signals
from earmark.bench.contract.verdicts import Undecided
from earmark.bench.corpora.audio import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earmark.bench.api import Samples

CHUNK_S = 0.12
SEEDS = 5
Said = tuple[tuple[Any, ...], tuple[Any, ...] | None]


@dataclass
class Subject:
    """A model plugin with the circumstances of the check. Models are built on first use and kept."""

    plugin: registry.Plugin
    preset: str
    options: Mapping[str, Json] = field(default_factory=dict)
    device: str = "cpu"
    full: bool = False
    audio: Samples | None = None
    budget_s: float = 60.0
    vocabulary: Sequence[str] | None = None
    seed: int = 0

    def build(self, seed: int) -> Any:
        """A new model. The global generators are somewhere else each time: a seed must be enough."""
        import torch

        torch.manual_seed(np.random.default_rng().integers(2**31))
        entry = registry.resolve(self.spec)
        return entry(self.preset, options=self.options, vocabulary=self.vocabulary, seed=seed, device=self.device)

    @property
    def spec(self) -> ModelSpec:
        return cast(ModelSpec, self.plugin.spec)

    @cached_property
    def model(self) -> Any:
        return self.build(self.seed)

    def must_be_built(self) -> None:
        """Lets what building raises pass."""
        _ = self.model

    @property
    def rate_hz(self) -> int:
        return int(cast(HasInfo, self.model).info.sample_rate_hz)

    @property
    def first(self) -> Samples:
        """The first test utterance, or the recording that was given."""
        if self.audio is None:
            return signals.utterances(self.rate_hz)[0]
        kept = self.audio[: round(signals.MAX_AUDIO_S * SAMPLE_RATE_HZ)]
        return signals.at_rate(kept, self.rate_hz)

    @property
    def second(self) -> Samples:
        return signals.utterances(self.rate_hz)[1]

    @property
    def source(self) -> str:
        return "the given recording" if self.audio is not None else signals.utterances(self.rate_hz)[2]

    def output(self, model: Any) -> Any:
        """What a model makes of the first utterance, comparable by :meth:`same`."""
        raise NotImplementedError

    def same(self, a: Any, b: Any) -> str | None:
        """How two outputs differ; None where they do not."""
        raise NotImplementedError

    @cached_property
    def reference(self) -> Any:
        return self.output(self.model)


class RecognizerSubject(Subject):
    """A recognizer or conversation model."""

    @cached_property
    def model(self) -> Recognizer:
        """Untrained models may say nothing: of the first seeds, the first whose model says something."""
        first = self.build(self.seed)
        if not isinstance(first, Recognizer) or first.info.trained_on:
            return cast(Recognizer, first)
        for seed in range(self.seed, self.seed + SEEDS):
            model = first if seed == self.seed else self.build(seed)
            if _speaks(model, self.chunk_of(model)):
                self.seed = seed
                return cast(Recognizer, model)
        return first

    @staticmethod
    def chunk_of(model: HasInfo) -> int:
        return max(1, round(model.info.sample_rate_hz * CHUNK_S))

    @property
    def chunk(self) -> int:
        return self.chunk_of(self.model)

    def output(self, model: Any) -> Play:
        return self.hear(self.first, model)

    def same(self, a: Play, b: Play) -> str | None:
        return difference(a, b)

    def hear(self, samples: Samples, model: Recognizer | None = None) -> Play:
        """A recording through a new stream, in chunks of 120 ms."""
        return play((model or self.model).stream(), cut(samples, self.chunk))

    @cached_property
    def other(self) -> Play:
        return self.hear(self.second)

    def must_speak(self) -> Play:
        """The reference output; Undecided where it is empty, for then every comparison would hold."""
        if not self.reference.final:
            raise Undecided(f"no output on the test signal ({self.source}): vacuous; give a recording with --audio")
        return cast(Play, self.reference)


class EmbedderSubject(Subject):
    """A speaker embedder."""

    @cached_property
    def model(self) -> SpeakerEmbedder:
        return cast(SpeakerEmbedder, self.build(self.seed))

    def output(self, model: Any) -> NDArray[np.float32]:
        return embed_one(model, self.first)

    def same(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> str | None:
        return None if np.array_equal(a, b) else f"embeddings differ by up to {np.abs(a - b).max():.2g}"


def embed_one(model: SpeakerEmbedder, samples: Samples) -> NDArray[np.float32]:
    """The embedding (dim,) of one recording."""
    batch, lengths = samples[None, :].copy(), np.array([len(samples)], dtype=np.int64)
    row: NDArray[np.float32] = np.asarray(model.embed(batch, lengths))[0]
    return row


@dataclass(frozen=True, slots=True)
class Play:
    """What a stream said: the updates as they were handed over, and a copy of each made at that moment."""

    held: tuple[Update, ...]
    said: tuple[Said, ...]
    n_fed: tuple[int, ...]

    @property
    def final(self) -> tuple[tuple[Any, ...], ...]:
        """Final tokens as (text, channel, kind)."""
        return tuple(token[:3] for final, _ in self.said for token in final)

    @property
    def text(self) -> str:
        return "".join(str(text) for text, _, kind in self.final if kind == "text")


def copy_of(update: Update) -> Said:
    """An update's content as plain tuples, which nobody can change afterwards."""
    partial = None if update.partial is None else tuple(_plain(token) for token in update.partial)
    return tuple(_plain(token) for token in update.final), partial


def _plain(token: Token) -> tuple[Any, ...]:
    return (token.text, token.channel, token.kind, token.audio_s)


def play(stream: Stream, chunks: Iterable[Samples]) -> Play:
    """Feed chunks and finish."""
    held, said, fed = [], [], [0]
    for chunk in chunks:
        held.append(stream.accept(chunk))
        said.append(copy_of(held[-1]))
        fed.append(fed[-1] + len(chunk))
    held.append(stream.finish())
    said.append(copy_of(held[-1]))
    return Play(tuple(held), tuple(said), (*fed[1:], fed[-1]))


def _speaks(model: Recognizer, chunk: int) -> bool:
    """Whether it says something about speech; what it raises is for the promises to find."""
    try:
        return bool(play(model.stream(), cut(signals.utterances(model.info.sample_rate_hz)[0], chunk)).final)
    except Exception:
        return True


def cut(samples: Samples, *sizes: int) -> list[Samples]:
    """Consecutive views of ``samples`` of the given sizes, over and over."""
    chunks, start, turn = [], 0, 0
    while start < len(samples):
        chunks.append(samples[start : start + sizes[turn % len(sizes)]])
        start, turn = start + sizes[turn % len(sizes)], turn + 1
    return chunks


def difference(a: Play, b: Play, until: int | None = None) -> str | None:
    """Where two plays of the same chunks first differ, among the first ``until`` updates; None where nowhere."""
    for k, (one, two) in enumerate(zip(a.said[:until], b.said[:until], strict=until is None)):
        if one != two:
            return f"update {k} was {shown(one)}, then {shown(two)}"
    return None


def shown(said: Said) -> str:
    """An update in a few words."""
    final, partial = said
    tail = "" if partial is None else f" + partial {_joined(partial)}"
    return f"{_joined(final)}{tail}"


def _joined(tokens: tuple[Any, ...]) -> str:
    text = "".join(str(token[0]) for token in tokens)
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
