"""What every speaker embedder promises, each as a function named as its promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.bench.api import CountsWork, InputError, SpeakerEmbedder, StreamsEmbeddings, Unsupported
from earmark.bench.contract import signals
from earmark.bench.contract.subject import EmbedderSubject, cut, embed_one
from earmark.bench.contract.verdicts import Broken, Undecided
from earmark.bench.observe.compute import count_macs, cross_check

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earmark.bench.api import Array, Samples

TOLERANCE = 1e-5


def offers_embeddings(subject: EmbedderSubject) -> str:
    """``embed`` gives one finite row a recording, all of one size, and different ones for different voices."""
    if not isinstance(subject.model, SpeakerEmbedder):
        raise Broken(f"{type(subject.model).__name__} has no embed()")
    found = _embed(subject, _recordings(subject))
    if found.ndim != 2 or len(found) != 4 or not np.issubdtype(found.dtype, np.floating):
        raise Broken(f"4 recordings gave {found.dtype} of shape {found.shape}, not (4, dim) floats")
    if not np.isfinite(found).all() or not np.linalg.norm(found, axis=1).all():
        raise Broken("an embedding of speech is zero or not finite")
    if np.allclose(_unit(found[0]), _unit(found[1]), atol=TOLERANCE):
        raise Undecided("two different voices give the same embedding: every comparison would be vacuous")
    return f"{found.shape[1]} numbers a recording, from {subject.source}"


def batch_equals_single(subject: EmbedderSubject) -> str:
    """A row of a batch is what the recording gives alone, to 1e-5 of its length, in any order."""
    recordings = _recordings(subject)
    alone = np.stack([embed_one(subject.model, samples) for samples in recordings])
    worst = max(_apart(_embed(subject, recordings), alone), _apart(_embed(subject, recordings[::-1]), alone[::-1]))
    if worst > TOLERANCE:
        raise Broken(f"a row differs by {worst:.2g} of its length from the same recording alone")
    return f"{len(recordings)} recordings of different lengths, at most {worst:.2g} apart"


def padding_is_ignored(subject: EmbedderSubject) -> str:
    """What stands behind a recording's valid samples changes nothing."""
    recordings = _recordings(subject)
    quiet = _embed(subject, recordings)
    loud = _embed(subject, recordings, filler=signals.noise(subject.rate_hz, 12.0, seed=8))
    if (worst := _apart(loud, quiet)) > TOLERANCE:
        raise Broken(f"noise in the padding moves a row by {worst:.2g} of its length")
    return f"noise instead of zeros, at most {worst:.2g} apart"


def any_chunking_gives_the_same_embedding(subject: EmbedderSubject) -> str:
    """Where it hears streams: what it says of a recording does not depend on how the recording was cut, bit for bit."""
    _must_stream(subject)
    whole = _heard(subject, [subject.first])
    for size in (1 + subject.rate_hz // 97, subject.rate_hz // 10, subject.rate_hz):
        if not np.array_equal(_heard(subject, cut(subject.first, size)), whole):
            raise Broken(f"in chunks of {size} samples the embedding is another one")
    return f"{whole.size} numbers, four ways of cutting"


def a_stream_says_what_embed_says(subject: EmbedderSubject) -> str:
    """Where it hears streams: at any moment the embedding is that of the recording so far, to 1e-5 of its length."""
    _must_stream(subject)
    stream, worst = subject.model.embedding_stream(), 0.0  # type: ignore[attr-defined]
    chunks, fed = cut(subject.first, subject.rate_hz), 0
    for chunk in chunks:
        stream.accept(chunk.copy())
        fed, said = fed + len(chunk), stream.embedding()
        if said is None:
            raise Broken(f"after {fed / subject.rate_hz:.1f} s of speech there is no embedding")
        worst = max(worst, _apart(said[None], embed_one(subject.model, subject.first[:fed])[None]))
    if worst > TOLERANCE:
        raise Broken(f"it differs by {worst:.2g} of its length from embed() of the same samples")
    return f"{len(chunks)} moments, at most {worst:.2g} apart"


def embedding_streams_do_not_leak_into_each_other(subject: EmbedderSubject) -> str:
    """Where it hears streams: two recordings heard by turns are what each is alone."""
    _must_stream(subject)
    streams = [subject.model.embedding_stream() for _ in range(2)]  # type: ignore[attr-defined]
    recordings = (subject.first, subject.second)
    for parts in zip(*(cut(samples, subject.rate_hz // 5) for samples in recordings), strict=False):
        for stream, part in zip(streams, parts, strict=True):
            stream.accept(part.copy())
    n = min(len(cut(samples, subject.rate_hz // 5)) for samples in recordings) * (subject.rate_hz // 5)
    for stream, samples in zip(streams, recordings, strict=True):
        if not np.array_equal(stream.embedding(), _heard(subject, [samples[:n]])):
            raise Broken("a stream that was fed by turns with another says something else")
    return f"{n / subject.rate_hz:.1f} s of two recordings"


def work_of_a_stream_agrees_with_an_independent_count(subject: EmbedderSubject) -> str:
    """Where its streams count their work: within 1 % of the multiply-accumulates that torch really executed."""
    _must_stream(subject)
    claimed: dict[str, int] = {}

    def listen() -> None:
        stream: Any = subject.model.embedding_stream()  # type: ignore[attr-defined]
        if not isinstance(stream, CountsWork):
            raise Undecided("the stream offers no work()")
        heard: Any = stream
        heard.accept(subject.first.copy())
        heard.embedding()
        claimed.update(stream.work())

    listen()
    if disagreement := cross_check(claimed, counted := count_macs(listen)):
        raise Broken(disagreement)
    return f"{counted.macs:,} counted"


def survives_silence(subject: EmbedderSubject) -> str:
    """Three seconds of zeros give a finite row or an InputError."""
    return _finite_or_refused(subject, np.zeros(3 * subject.rate_hz, dtype=np.float32))


def survives_one_sample(subject: EmbedderSubject) -> str:
    """One sample gives a finite row or an InputError."""
    return _finite_or_refused(subject, np.full(1, 0.1, dtype=np.float32))


def survives_no_audio(subject: EmbedderSubject) -> str:
    """A recording of length zero gives a finite row or an InputError."""
    try:
        found = subject.model.embed(np.zeros((1, 1600), dtype=np.float32), np.zeros(1, dtype=np.int64))
    except InputError as error:
        return f"refused: {error}"
    return _finite(found[0])


def refuses_nan(subject: EmbedderSubject) -> str:
    """NaN or infinity among the valid samples raises InputError, and the next recording is embedded as always."""
    for bad in (np.nan, np.inf, -np.inf):
        samples = subject.first.copy()
        samples[len(samples) // 2] = bad
        try:
            embed_one(subject.model, samples)
        except InputError:
            continue
        except Exception as error:
            raise Broken(f"a sample of {bad} raised {type(error).__name__} instead of InputError") from error
        raise Broken(f"a sample of {bad} was taken without an error")
    if found := subject.same(subject.reference, subject.output(subject.model)):
        raise Broken(f"after it was given NaN, {found}")
    return "NaN, +infinity and -infinity"


def _must_stream(subject: EmbedderSubject) -> None:
    if not isinstance(subject.model, StreamsEmbeddings):
        raise Undecided("it hears whole recordings only")
    try:
        subject.model.embedding_stream()
    except Unsupported as error:
        raise Undecided(str(error)) from error


def _heard(subject: EmbedderSubject, chunks: list[Samples]) -> Array:
    """What a new stream says after these chunks."""
    stream = subject.model.embedding_stream()  # type: ignore[attr-defined]
    for chunk in chunks:
        stream.accept(chunk.copy())
    said = stream.embedding()
    if said is None:
        raise Broken("after a whole recording there is no embedding")
    return np.asarray(said)


def _recordings(subject: EmbedderSubject) -> list[Samples]:
    first, second = subject.first, subject.second
    return [first, second, first[: len(first) // 2], second[: 2 * len(second) // 3]]


def _embed(subject: EmbedderSubject, recordings: list[Samples], filler: Samples | None = None) -> Array:
    lengths = np.array([len(samples) for samples in recordings], dtype=np.int64)
    batch = np.zeros((len(recordings), lengths.max()), dtype=np.float32)
    for row, samples in zip(batch, recordings, strict=True):
        if filler is not None:
            row[:] = np.resize(filler, len(row))
        row[: len(samples)] = samples
    return np.asarray(subject.model.embed(batch, lengths))


def _unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    return row / (np.linalg.norm(row) or 1.0)


def _apart(a: Array, b: Array) -> float:
    """The largest difference of two rows, as a share of their length."""
    lengths = np.linalg.norm(b, axis=1).clip(1e-30)
    return float((np.linalg.norm(a - b, axis=1) / lengths).max())


def _finite_or_refused(subject: EmbedderSubject, samples: Samples) -> str:
    try:
        return _finite(embed_one(subject.model, samples))
    except InputError as error:
        return f"refused: {error}"


def _finite(row: Array) -> str:
    if not np.isfinite(row).all():
        raise Broken("the embedding is not finite")
    return f"an embedding of length {np.linalg.norm(row):.3g}"
