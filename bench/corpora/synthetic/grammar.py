"""What the synthetic speakers say: three lexical tasks.

``digits`` are strings of digits. ``commands`` and ``sentences`` come from small grammars whose texts are
divided by a hash into three sides, so that no text heard in training is ever tested; every word occurs on every side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

from earmark.bench.corpora.synthetic.draws import Draws

Side = Literal["train", "dev", "test"]
TASKS = ("digits", "commands", "sentences")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_ROOM = ("kitchen", "bedroom", "garden", "office")
_COMMANDS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("turn",), ("on", "off"), ("the", "my"), _ROOM, ("light", "fan", "radio", "heater")),
    (("play",), ("jazz", "rock", "music"), ("in",), ("the", "my"), _ROOM, ("at",), DIGITS[2:]),
    (("set", "move"), ("the", "my"), _ROOM, ("timer", "alarm"), ("to",), DIGITS[2:]),
    (("add",), DIGITS[2:], ("apples", "lemons", "eggs"), ("to",), ("the", "my"), _ROOM, ("list",)),
    (("open", "close"), ("the", "my"), _ROOM, ("door", "window", "curtains")),
)
_SENTENCE: tuple[tuple[str, ...], ...] = (
    ("the", "my", "her"),
    ("farmer", "teacher", "doctor", "sailor", "painter"),
    ("found", "sold", "carried", "lost", "wanted"),
    DIGITS[2:],
    ("boats", "letters", "lamps", "boxes", "bottles"),
)
VOCABULARY = tuple(sorted({*DIGITS, *(w for g in (*_COMMANDS, _SENTENCE) for slot in g for w in slot)}))
_SIDES: tuple[Side, ...] = ("train",) * 5 + ("dev",) + ("test",) * 4


def side_of(text: str) -> Side:
    """The side a command or sentence belongs to: half train, a tenth dev, the rest test."""
    return _SIDES[hashlib.sha256(text.encode()).digest()[0] % len(_SIDES)]


def texts(task: str, n: int, side: Side, draws: Draws, *key: object, n_digits: Sequence[int] = (2, 4)) -> list[str]:
    """``n`` different texts of a task for one speaker; commands and sentences only from ``side``."""
    low, high = n_digits
    found: dict[str, None] = {}
    attempt = 0
    while len(found) < n:
        text = " ".join(_draw(task, draws, (low, high), *key, task, attempt))
        attempt += 1
        if task == "digits" or side_of(text) == side:
            found[text] = None
    return list(found)


def _draw(task: str, draws: Draws, n_digits: tuple[int, int], *key: object) -> Iterator[str]:
    if task == "digits":
        slots: tuple[tuple[str, ...], ...] = (DIGITS,) * draws.whole(*n_digits, *key, "length")
    elif task == "commands":
        slots = draws.pick(_COMMANDS, *key, "rule")
    else:
        slots = _SENTENCE
    return (draws.pick(slot, *key, place) for place, slot in enumerate(slots))
