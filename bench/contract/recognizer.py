"""What every recognizer and conversation model promises, each as a function named as its promise."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import Any

import numpy as np

from earmark.bench.api import InputError, Recognizer, Transcribes, Update
from earmark.bench.contract import signals
from earmark.bench.contract.subject import Play, RecognizerSubject, copy_of, cut, difference, play
from earmark.bench.contract.verdicts import Broken, Undecided

KINDS = ("text", "start_of_turn", "end_of_turn")


def offers_streams(subject: RecognizerSubject) -> str:
    """It has ``info`` and ``stream``, and a stream has ``accept`` and ``finish``."""
    if not isinstance(subject.model, Recognizer):
        raise Broken(f"{type(subject.model).__name__} has no stream()")
    stream = subject.model.stream()
    missing = [name for name in ("accept", "finish") if not callable(getattr(stream, name, None))]
    if missing:
        raise Broken(f"its stream has no {' and no '.join(missing)}")
    play_ = subject.reference
    return f"{len(play_.final)} final tokens from {subject.source}: {play_.text.strip()[:60]!r}"


def updates_are_well_formed(subject: RecognizerSubject) -> str:
    """Updates hold tuples of tokens with a text, a channel from zero up and a known kind."""
    for k, update in enumerate(subject.reference.held):
        if not isinstance(update, Update):
            raise Broken(f"update {k} is {type(update).__name__}, not Update")
        for name, tokens in (("final", update.final), ("partial", update.partial or ())):
            if not isinstance(tokens, tuple):
                raise Broken(f"update {k}: {name} is {type(tokens).__name__}, not tuple")
            for token in tokens:
                _check_token(token, f"update {k}")
    return f"{len(subject.reference.held)} updates"


def _check_token(token: Any, where: str) -> None:
    if not isinstance(token.text, str) or not isinstance(token.channel, int) or token.channel < 0:
        raise Broken(f"{where}: {token!r} needs a text and a channel from 0 up")
    if token.kind not in KINDS:
        raise Broken(f"{where}: kind {token.kind!r} is none of {', '.join(KINDS)}")


def claims_no_audio_it_was_not_fed(subject: RecognizerSubject) -> str:
    """No token's ``audio_s`` lies beyond the audio fed when it came, or before the start."""
    n_claims = 0
    reference = subject.must_speak()
    for k, (said, n_fed) in enumerate(zip(reference.said, reference.n_fed, strict=True)):
        fed_s = n_fed / subject.rate_hz
        for text, _, _, audio_s in (*said[0], *(said[1] or ())):
            n_claims += audio_s is not None
            if audio_s is not None and not 0 <= audio_s <= fed_s + 1e-9:
                raise Broken(f"update {k}: {text!r} claims {audio_s:.3f} s when {fed_s:.3f} s were fed")
    if not n_claims:
        raise Undecided("no token says its audio_s")
    return f"{n_claims} claims"


def final_tokens_are_never_revised(subject: RecognizerSubject) -> str:
    """What was handed over stays as it was, and each channel's final tokens come in the order of their audio."""
    reference = subject.must_speak()
    for k, (held, said) in enumerate(zip(reference.held, reference.said, strict=True)):
        if copy_of(held) != said:
            raise Broken(f"update {k} was changed after it had been handed over")
    newest: dict[int, float] = defaultdict(float)
    for text, channel, _, audio_s in (token for final, _ in reference.said for token in final):
        if audio_s is not None and audio_s < newest[channel]:
            raise Broken(f"{text!r} at {audio_s:.3f} s came after a token at {newest[channel]:.3f} s")
        newest[channel] = audio_s if audio_s is not None else newest[channel]
    return f"{len(reference.final)} final tokens"


def later_samples_never_change_earlier_output(subject: RecognizerSubject) -> str:
    """Two recordings that begin alike give bit-identical updates while they are alike.

    Chunks are views of the whole recording, as in a benchmark run, and then one buffer that is filled anew for each
    chunk, as from a sound card: a model that looks past the end of its chunk, or keeps a view of it, shows here.
    """
    reference = subject.must_speak()
    half = len(subject.first) // 2 // subject.chunk
    _must_listen(subject)
    futures = [subject.second, signals.noise(subject.rate_hz, 2.0, seed=5)]
    for future in futures:
        heard = subject.hear(np.concatenate([subject.first[: half * subject.chunk], future]))
        if found := difference(reference, heard, until=half):
            raise Broken(f"with another future, {found}")
    if found := difference(reference, _through_one_buffer(subject)):
        raise Broken(f"when the caller's buffer is used again, {found}")
    n_tokens = sum(len(final) + len(partial or ()) for final, partial in reference.said[:half])
    if not n_tokens:
        raise Undecided("nothing came out during the common part: vacuous")
    return f"{half} updates with {n_tokens} tokens, {len(futures)} other futures, one buffer for all chunks"


def _through_one_buffer(subject: RecognizerSubject) -> Play:
    buffer = np.zeros(subject.chunk, dtype=np.float32)

    def refilled() -> Any:
        for chunk in cut(subject.first, subject.chunk):
            buffer[: len(chunk)] = chunk
            yield buffer[: len(chunk)]
            buffer[:] = 0.5

    return play(subject.model.stream(), refilled())


def _must_listen(subject: RecognizerSubject) -> None:
    """A model that says the same whatever it hears would keep any promise about what it hears."""
    if subject.must_speak().final == subject.other.final:
        raise Undecided("it says the same about different recordings: vacuous; give a recording with --audio")


def any_chunking_gives_the_same_final_tokens(subject: RecognizerSubject) -> str:
    """One chunk, 10 ms, odd and random sizes: the final tokens are the same."""
    reference = subject.must_speak()
    rng = np.random.default_rng(3)
    random = rng.integers(1, subject.rate_hz // 2, size=50).tolist()
    sizes = {
        "one chunk": [len(subject.first)], "10 ms": [subject.rate_hz // 100], "641 samples": [641],
        "1 sample, then 997": [1, 997], "random sizes": random,
    }  # fmt: skip
    for name, cuts in sizes.items():
        heard = play(subject.model.stream(), cut(subject.first, *cuts))
        if heard.final != reference.final:
            raise Broken(f"{name}: {_first_token(reference, heard)}")
    return f"{len(reference.final)} final tokens in {len(sizes) + 1} chunkings"


def _first_token(a: Play, b: Play) -> str:
    for k, (one, two) in enumerate(zip_longest(a.final, b.final)):
        if one != two:
            return f"final token {k} is {two and two[0]!r}, not {one and one[0]!r}"
    return "no difference"


def streams_do_not_leak_into_each_other(subject: RecognizerSubject) -> str:
    """Two streams fed in turn say what each says alone, and so does a stream opened after them."""
    _must_listen(subject)
    first, second = subject.model.stream(), subject.model.stream()
    chunks = zip_longest(cut(subject.first, subject.chunk), cut(subject.second, subject.chunk))
    said: tuple[list[Any], list[Any]] = ([], [])
    for one, two in chunks:
        for stream, chunk, heard in ((first, one, said[0]), (second, two, said[1])):
            if chunk is not None:
                heard.append(copy_of(stream.accept(chunk)))
    said[0].append(copy_of(first.finish()))
    said[1].append(copy_of(second.finish()))
    for heard, alone in zip(said, (subject.reference, subject.other), strict=True):
        if tuple(heard) != alone.said:
            raise Broken("a stream says something else when another is fed in turn with it")
    if found := difference(subject.reference, subject.hear(subject.first)):
        raise Broken(f"in a later stream, {found}")
    return "two streams in turn, and one after them"


def batch_equals_single(subject: RecognizerSubject) -> str:
    """``transcribe`` of a batch says, token for token, what streaming says."""
    if not isinstance(subject.model, Transcribes):
        raise Undecided("it offers no transcribe()")
    _must_listen(subject)
    batch = [subject.first, subject.second, subject.first[: len(subject.first) // 2]]
    streamed = [subject.reference.final, subject.other.final, subject.hear(batch[2]).final]
    transcribed = subject.model.transcribe(batch)
    if len(transcribed) != len(batch):
        raise Broken(f"{len(batch)} recordings gave {len(transcribed)} transcripts")
    for k, (tokens, stream) in enumerate(zip(transcribed, streamed, strict=True)):
        plain = tuple((token.text, token.channel, token.kind) for token in tokens)
        if plain != stream:
            raise Broken(f"recording {k}: {_text(plain)!r} in a batch, {_text(stream)!r} streamed")
    return f"{len(batch)} recordings of different lengths"


def _text(tokens: tuple[tuple[Any, ...], ...]) -> str:
    text = "".join(token[0] for token in tokens)
    return text if len(text) <= 40 else f"{text[:37]}..."


def survives_silence(subject: RecognizerSubject) -> str:
    """Three seconds of zeros."""
    return _survives(subject, np.zeros(3 * subject.rate_hz, dtype=np.float32))


def survives_one_sample(subject: RecognizerSubject) -> str:
    """A recording of one sample."""
    return _survives(subject, np.full(1, 0.1, dtype=np.float32))


def survives_no_audio(subject: RecognizerSubject) -> str:
    """A stream that is finished before anything was fed."""
    return _survives(subject, np.zeros(0, dtype=np.float32))


def _survives(subject: RecognizerSubject, samples: Any) -> str:
    heard = subject.hear(samples)
    for k, update in enumerate(heard.held):
        if not isinstance(update, Update):
            raise Broken(f"update {k} is {type(update).__name__}, not Update")
    return f"{len(heard.final)} final tokens"


def refuses_nan_and_harms_no_other_stream(subject: RecognizerSubject) -> str:
    """A chunk with NaN or infinity raises InputError, and a stream opened afterwards says what it always says."""
    for bad in (np.nan, np.inf, -np.inf):
        samples = subject.first[: subject.chunk].copy()
        samples[len(samples) // 2] = bad
        stream = subject.model.stream()
        stream.accept(subject.first[: subject.chunk])
        try:
            stream.accept(samples)
        except InputError:
            continue
        except Exception as error:
            raise Broken(f"a sample of {bad} raised {type(error).__name__} instead of InputError") from error
        raise Broken(f"a sample of {bad} was taken without an error")
    if found := difference(subject.reference, subject.hear(subject.first)):
        raise Broken(f"after a stream was poisoned, in a later stream {found}")
    return "NaN, +infinity and -infinity"
