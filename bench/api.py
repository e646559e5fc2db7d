"""The plugin contract: records and protocols, nothing that runs.

A model or fairness plugin is a folder with a light ``__init__`` that holds a ``SPEC`` and a module that
builds the thing. It imports this file, ``earmark.bench.metrics`` and ``earmark.models._blocks``; no base
class is inherited, the protocols below are structural. This file imports neither torch nor NumPy at run
time, so that listing plugins stays instant.

Conventions: times in seconds (``_s``), samples float32 mono in [-1, 1], one multiply-accumulate = 1 MAC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

    Samples: TypeAlias = NDArray[np.float32]
    Lengths: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float32]
    Table: TypeAlias = pa.Table
else:
    Samples = Lengths = Array = Table = Any

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Condition: TypeAlias = tuple[float, ...]
Task: TypeAlias = Literal["recognition", "conversation", "verification"]
TokenKind: TypeAlias = Literal["text", "start_of_turn", "end_of_turn"]
Need: TypeAlias = Literal["errors", "place", "area", "embedding"]
SPLITS = ("train", "dev", "discover", "select", "measure")
"""The five splits, always disjoint in speakers."""


# --- what can go wrong, in one line -------------------------------------------------------------------------------


class InputError(Exception):
    """Bad input from a user: what is wrong, where, and how to mend it. The command line exits with 2."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}; {self.fix}" if self.fix else head


class Unsupported(Exception):
    """This plugin can't do this here (a missing package, device or ability): the row says so and why."""


# --- records ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """One unit of output.

    A leading space begins a word: joining the texts of a channel and splitting at spaces gives its words.
    The harness stamps *emission* at the chunk; ``audio_s`` is the model's own claim of the audio (seconds from
    the stream's start) that it had consumed, and is checked never to exceed what was fed.
    """

    text: str
    channel: int = 0
    kind: TokenKind = "text"
    audio_s: float | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What a stream says after a chunk: ``final`` is never revised, ``partial`` replaces the previous partial.

    ``partial=None`` means "unchanged"; ``partial=()`` withdraws it. The transcript so far is every final token
    followed by the current partial.
    """

    final: tuple[Token, ...] = ()
    partial: tuple[Token, ...] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A reference word with its place in the recording, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's turn: its text and, where known, its times, speaker, words and output channel."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None
    words: tuple[Word, ...] = ()
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: samples (n,) with its turns; ``condition`` and ``pseudo_label`` set by repairs."""

    utterance_id: str
    samples: Samples
    turns: tuple[Turn, ...]
    condition: Condition | None = None
    pseudo_label: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands: ``step`` of ``n_steps``, counted from zero."""

    step: int
    n_steps: int


@dataclass(frozen=True, slots=True)
class Losses:
    """Named scalar terms, weighted and summed by the loop.

    ``items`` (B,) are losses of the recordings and ``weights`` (B,) what each counted for, for logs by cohort.
    """

    terms: Mapping[str, Tensor]
    items: Tensor | None = None
    weights: Tensor | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a built model is.

    ``chunk_s`` is the model's own step (None: any), ``lookahead_s`` the future audio it waits for,
    ``trained_on`` names every corpus its weights have seen.
    """

    sample_rate_hz: int
    n_channels: int = 1
    chunk_s: float | None = None
    lookahead_s: float = 0.0
    n_parameters: int | None = None
    trained_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model plugin. ``entry`` is ``module:callable`` (a :class:`Build`); ``requires`` are distributions.

    ``pretrained`` says that it comes with weights of its own and learns nothing here.
    """

    name: str
    task: Task
    entry: str
    presets: tuple[str, ...]
    license: str
    source: str
    requires: tuple[str, ...] = ()
    pretrained: bool = False


@dataclass(frozen=True, slots=True)
class FairnessSpec:
    """A fairness plugin: finds cohorts or repairs a gap between them."""

    name: str
    role: Literal["finder", "mitigation"]
    entry: str
    source: str
    tasks: tuple[Task, ...]
    needs: frozenset[Need] = frozenset()
    start: Literal["checkpoint", "scratch"] = "checkpoint"
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorpusSpec:
    """A corpus loader. ``entry`` is ``module:callable`` (a :class:`LoadCorpus`)."""

    name: str
    entry: str
    license: str
    source: str
    requires: tuple[str, ...] = ()


Spec: TypeAlias = ModelSpec | FairnessSpec | CorpusSpec


# --- corpora ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mixed:
    """What the conversations of a corpus are mixed from: single talkers, by rules that its loader knows."""

    talkers: Corpus
    rules: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TrialList:
    """Which recordings a verification model is asked about: whether one speaker is to be heard, and two ids, each."""

    name: str
    trials: tuple[tuple[bool, str, str], ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A loaded corpus.

    ``rows`` is a ``datasets.Dataset`` of the schema in ``earmark.bench.corpora.schema``; ``fingerprint`` is a digest
    of its content; ``flags`` are remarks that every row measured on it carries (e.g. ``no_speakers``).
    ``area_attributes`` tells something of the areas that rows name by their code, such as a census does of ZIP codes.
    ``trials`` are given where a corpus comes with a list of its own; else one is built.
    ``mixed`` is given where training makes conversations as it needs them; then there are no rows of split train.
    """

    name: str
    rows: Dataset
    fingerprint: str
    license: str
    source: str = ""
    revision: str | None = None
    flags: tuple[str, ...] = ()
    area_attributes: Mapping[str, str] = field(default_factory=dict)
    trials: TrialList | None = None
    mixed: Mixed | None = None


class LoadCorpus(Protocol):
    """The callable behind ``CorpusSpec.entry``; ``progress(done, total, what)`` is called as work goes on.

    One that makes a corpus from another, or reads a folder, also takes ``source`` and ``settings`` (text by key):
    what ``name(key=value):source`` says.
    """

    def __call__(self, *, cache: Path, progress: Callable[[int, int, str], None]) -> Corpus: ...


# --- models -------------------------------------------------------------------------------------------------------


@runtime_checkable
class HasInfo(Protocol):
    @property
    def info(self) -> ModelInfo: ...


class Build(Protocol):
    """The callable behind ``ModelSpec.entry``.

    Raises :class:`InputError` on an unknown preset or option, :class:`Unsupported` where it can't run here.
    """

    def __call__(
        self, preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
    ) -> HasInfo: ...


class Stream(Protocol):
    """One recording on its way through a model. Streams of one model are independent of each other."""

    def accept(self, samples: Samples) -> Update:
        """Take the next samples (n,), any n >= 1, at the model's rate. Raises InputError on NaN or infinity."""

    def finish(self) -> Update:
        """The recording is over: flush; the last partial is void unless it comes back as final."""


@runtime_checkable
class Recognizer(HasInfo, Protocol):
    """Streaming recognition and conversation models."""

    def stream(self, condition: Condition | None = None) -> Stream: ...


@runtime_checkable
class CountsWork(Protocol):
    """Optional, on a Stream or an embedder: cumulative executed MACs by part, e.g. encoder, predictor, joint."""

    def work(self) -> Mapping[str, int]: ...


@runtime_checkable
class CountsDenseWork(CountsWork, Protocol):
    """Optional, on a Stream that leaves work out: MACs that the same audio would have taken with everything on.

    Parts are those of ``work()`` from which the savings are counted (the encoder's); what decides has 0.
    """

    def dense_work(self) -> Mapping[str, int]: ...


@runtime_checkable
class Probes(Protocol):
    """Optional, on a Stream: named readings such as gate rates or cache length."""

    def probes(self) -> Mapping[str, float]: ...


@runtime_checkable
class GrowingWork(Protocol):
    """Optional, on a model: whether work per chunk grows with the stream, as attention without limit does."""

    @property
    def work_grows(self) -> bool: ...


@runtime_checkable
class Transcribes(Protocol):
    """Optional: the offline, batched form; token for token what streaming says."""

    def transcribe(self, batch: Sequence[Samples]) -> list[tuple[Token, ...]]: ...


@runtime_checkable
class SpeakerEmbedder(HasInfo, Protocol):
    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        """(n, t) samples padded at the end, (n,) valid samples -> (n, dim) embeddings, row i from row i alone."""


class EmbeddingStream(Protocol):
    """One recording on its way through an embedder. Streams of one model are independent of each other."""

    def accept(self, samples: Samples) -> None:
        """Take the next samples (n,), any n >= 1, at the model's rate. Raises InputError on NaN or infinity."""

    def embedding(self) -> Array | None:
        """(dim,) of the audio so far, however it was cut; None while that is too little. May be asked at any time."""


@runtime_checkable
class StreamsEmbeddings(Protocol):
    """Optional, on a SpeakerEmbedder: hears a recording as it comes."""

    def embedding_stream(self) -> EmbeddingStream:
        """A new recording. Raises :class:`Unsupported` where this model, built as it is, hears whole ones only."""


# --- training -----------------------------------------------------------------------------------------------------

B = TypeVar("B")
BIn = TypeVar("BIn", contravariant=True)
M = TypeVar("M", bound="Trainable[Any]")


@runtime_checkable
class ChoosesKept(Protocol):
    """Optional, on a trainable model whose weights are not at every moment what is to be learned."""

    def may_keep(self, progress: Progress) -> bool:
        """Whether the weights after this step may be kept if they are the best on dev; the last ones always may."""


class Trainable(HasInfo, Protocol[B]):
    """A model the shared loop can train. Also offers torch.nn.Module's parameters and state, as named here."""

    batching: Literal["bucketed", "by_speaker"]

    def parts(self) -> Mapping[str, Sequence[str]]:
        """Part name ("encoder", "predictor") -> names of its parameters."""

    def config(self) -> Json: ...
    def collate(self, examples: Sequence[Example], rng: Generator) -> B: ...
    def loss(self, batch: B, progress: Progress) -> Losses: ...
    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> Any: ...


class MetricLearner(Trainable[B], Protocol[B]):
    """An embedder trained on pairs."""

    def embeddings(self, batch: B) -> tuple[Tensor, Tensor]:
        """(n, dim) embeddings and (n,) speaker numbers."""

    def pair_loss(self, embeddings: Tensor, speakers: Tensor, pair_weights: Tensor | None) -> Losses:
        """Loss of a batch; ``pair_weights`` (n, n), None for equal weights."""


class Conditionable(Protocol):
    def with_condition(self, size: int) -> Self:
        """A copy that takes a condition vector, zero-initialised: its outputs are unchanged."""


class Objective(Protocol[BIn]):
    """Replaces ``model.loss`` during a fit, with a state of its own."""

    def losses(self, batch: BIn, progress: Progress) -> Losses: ...
    def after_step(self, batch: BIn, progress: Progress) -> Mapping[str, float]:
        """The adversary's own update; what it returns is logged."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything, optimizer included, that an exact resume needs."""

    def restore(self, state: Mapping[str, Tensor]) -> None: ...


class Trainer(Protocol):
    """The training loop, bound to one cell's train rows, seed, device and steps."""

    @property
    def rows(self) -> Table:
        """Metadata and "cohort" of the train utterances; no outcomes."""

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]: ...
    def gradients(self, model: Trainable[B], where: Sequence[int]) -> Iterator[Mapping[str, Tensor]]:
        """Gradients of the loss on one utterance at a time, in eval mode."""

    def fit(
        self,
        model: M,
        *,
        row_weights: Sequence[float] | None = None,
        transform: Callable[[Example, Generator], Example] | None = None,
        objective: Callable[[M], Objective[Any]] | None = None,
        frozen: Sequence[str] = (),
    ) -> M:
        """Train a copy of ``model``; the argument is untouched. ``frozen`` names parts."""


# --- fairness -----------------------------------------------------------------------------------------------------


class CohortScheme(Protocol):
    """A frozen way to put speakers into cohorts."""

    def assign(self, rows: Table) -> list[str]:
        """One cohort name a row; the harness has removed the outcome columns."""

    def to_json(self) -> Json: ...


class CohortFinder(Protocol):
    """Finds cohorts on the discover and select splits; never sees the measure split.

    Tables have the columns ``utterance_id, speaker, split, errors, words, lat, lon, area_code, area_attribute,
    embedding, snr_db, duration_s``.
    """

    def fit(self, discover: Table, select: Table, *, seed: int) -> CohortScheme: ...
    def load(self, scheme: Json) -> CohortScheme: ...


@dataclass(frozen=True, slots=True)
class Repaired:
    """A repaired model, the condition to give each cohort, and the one for speakers of unknown cohort."""

    model: HasInfo
    conditions: Mapping[str, Condition] | None = None
    hidden: Condition | None = None


class BuildFairness(Protocol):
    """The callable behind ``FairnessSpec.entry``; raises :class:`InputError` on an unknown option."""

    def __call__(self, *, options: Mapping[str, Json]) -> CohortFinder | Mitigation: ...


class Mitigation(Protocol):
    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        """Repair ``model`` for the cohorts named in ``target``."""
