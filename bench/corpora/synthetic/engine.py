"""The near end of the espeak-ng process: ask it to say something, get samples and word times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench.api import Unsupported

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to say (words divided by single spaces) and how: rate in words a minute, pitch and range from 0 to 100."""

    text: str
    rate: int
    pitch: int
    pitch_range: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Samples (n,) int16 at 22,050 Hz, and for each word of the text its name, first and last sample."""

    samples: NDArray[np.int16]
    words: tuple[tuple[str, int, int], ...]


class Engine:
    """An espeak-ng process; use as a context manager. Not for two threads at once."""

    def __enter__(self) -> Self:
        if not hasattr(os, "fork"):
            raise Unsupported("synthetic corpora need a POSIX system: each utterance is spoken by a fork of espeak-ng")
        command = [sys.executable, "-m", "earmark.bench.corpora.synthetic.espeak"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def say(self, voice: str, prompts: Sequence[Prompt]) -> Iterator[Speech]:
        """Speech of one speaker, prompt by prompt; take all of it before asking again.

        What a prompt sounds like may depend on those before it in the same call, and on nothing else.
        """
        assert self.process.stdin
        said = [{"text": p.text, "rate": p.rate, "pitch": p.pitch, "range": p.pitch_range} for p in prompts]
        try:
            self.process.stdin.write(json.dumps({"voice": voice, "prompts": said}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        for prompt in prompts:
            head, pcm = self._answer()
            samples = np.frombuffer(pcm, dtype="<i2")
            yield Speech(samples, word_spans(prompt.text, [(p, s) for p, s in head["words"]], len(samples)))

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise self._ended()
        head = json.loads(line)
        if "error" in head:
            raise ValueError(head["error"])
        return head, self.process.stdout.read(head["n_bytes"])

    def _ended(self) -> RuntimeError:
        return RuntimeError(f"the espeak-ng process ended (exit status {self.process.wait()})")


def word_spans(text: str, marks: list[tuple[int, int]], n_samples: int) -> tuple[tuple[str, int, int], ...]:
    """Each word with its first sample and the next word's.

    espeak-ng speaks some pairs ("in the") as one and marks only the first of them; they share its span by their
    letters.

    >>> word_spans("in the garden", [(0, 0), (7, 600)], 1000)
    (('in', 0, 240), ('the', 240, 600), ('garden', 600, 1000))
    """
    starts = dict(marks)
    positions = [0]
    words = text.split(" ")
    for word in words[:-1]:
        positions.append(positions[-1] + len(word) + 1)
    bounds = [starts.get(position) for position in positions]
    bounds[0] = bounds[0] or 0
    known = [index for index, bound in enumerate(bounds) if bound is not None]
    spans: list[tuple[str, int, int]] = []
    for first, last in zip(known, [*known[1:], len(words)], strict=True):
        start, end = bounds[first], bounds[last] if last < len(words) else n_samples
        assert start is not None
        assert end is not None
        letters = [len(word) for word in words[first:last]]
        edges = [start + (end - start) * sum(letters[:k]) // sum(letters) for k in range(len(letters) + 1)]
        spans += zip(words[first:last], edges, edges[1:], strict=False)
    return tuple(spans)
