"""espeak-ng in a process of its own: requests as JSON lines on standard input, speech on standard output.

Run as ``python -m earmark.bench.corpora.synthetic.espeak``; ``engine`` is the other end. A request is all that one
speaker says, ``{"voice", "prompts": [{"text", "rate", "pitch", "range"}]}``. The answer to each prompt is a line
``{"n_bytes", "words": [[position, sample]]}``, with positions in characters from zero, followed by that many bytes of
16-bit mono PCM at ``RATE_HZ``.

espeak-ng keeps state between calls (flutter, echo, noise), so that what it says depends on what it said before. Each
request is therefore served by a fork of this process, which itself never speaks: every speaker starts from the same
state. This file imports nothing but the standard library and the engine, which keeps those forks cheap.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any, BinaryIO

RATE_HZ = 22_050
_SYNCHRONOUS, _UTF8, _BY_CHARACTER = 2, 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_LIST_END, _WORD = 0, 1
_SEED = 1


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h, API revision 12."""

    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    ]  # fmt: skip


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library, initialized once."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        rate_hz = self.library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        if rate_hz != RATE_HZ:
            raise RuntimeError(f"espeak-ng gave {rate_hz} Hz instead of {RATE_HZ} Hz")
        self.chunks: list[bytes] = []
        self.words: list[tuple[int, int]] = []
        self.callback = _CALLBACK(self._take)  # kept: the library holds only a bare pointer
        self.library.espeak_SetSynthCallback(self.callback)

    def use(self, voice: str) -> None:
        """Speak with this voice from now on; raises ValueError if there is none of that name."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")

    def say(self, request: dict[str, Any]) -> tuple[bytes, list[tuple[int, int]]]:
        """PCM bytes and (position in the text, sample) of each word that the engine marks."""
        self.chunks.clear()
        self.words.clear()
        for parameter, name in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            self.library.espeak_SetParameter(parameter, int(request[name]), 0)
        ctypes.CDLL(None).srand(_SEED)
        text = request["text"].encode()
        self.library.espeak_Synth(text, len(text) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        return b"".join(self.chunks), self.words

    def _take(self, samples: Any, n_samples: int, events: Any) -> int:
        if samples and n_samples > 0:
            self.chunks.append(ctypes.string_at(samples, n_samples * 2))
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type == _WORD:
                self.words.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more; the one answer to a request for no known voice is ``{"error"}``."""
    espeak = Espeak()
    for line in requests:
        child = os.fork()
        if child == 0:
            _answer(espeak, json.loads(line), answers)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise RuntimeError(f"espeak-ng failed on {line!r}")


def _answer(espeak: Espeak, request: dict[str, Any], answers: BinaryIO) -> None:
    try:
        espeak.use(request["voice"])
    except ValueError as error:
        answers.write(json.dumps({"error": str(error)}).encode() + b"\n")
    else:
        for prompt in request["prompts"]:
            pcm, words = espeak.say(prompt)
            answers.write(json.dumps({"n_bytes": len(pcm), "words": words}).encode() + b"\n" + pcm)
    answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
