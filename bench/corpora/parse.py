"""One line of a manifest: from JSON text to a row, with everything that is wrong with it in words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from earmark.bench.corpora.schema import SegmentRow, WordRow, canonical, plain_text
from earmark.bench.corpora.splits import ALIASES

TOLERANCE_S = 0.05
"""How far times may lie beyond the end of the recording: aligners round."""
_IGNORED = {"duration", "duration_s"}  # the file itself knows better


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a corpus: the place (``line 12``), what is wrong, and how to mend it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.fix}"


@dataclass(slots=True)
class Draft:
    """A manifest line on its way to a row: ``audio`` relative to the folder, ``split`` as written."""

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, what: str, fix: str) -> None:
        name = self.values.get("id")
        self.problems.append(Problem(f"line {self.line}", f"{name!r}: {what}" if name else what, fix))


class Bad(Exception):
    """A value that cannot be used: what is wrong, and the fix."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix


def parse_line(line: int, text: bytes) -> Draft:
    """A draft of the row; it may hold problems, all of the line's at once."""
    draft = Draft(line)
    try:
        values = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        draft.complain("not UTF-8 text", "save the manifest as UTF-8")
        return draft
    except (ValueError, RecursionError) as error:
        draft.complain(f"not valid JSON ({error})", "write one JSON object a line")
        return draft
    if not isinstance(values, dict):
        draft.complain(f"a JSON {_kind(values)}, not an object", 'write one object a line: {"id": ..., "audio": ...}')
        return draft
    _read_keys(draft, values)
    return draft


def _read_keys(draft: Draft, values: Mapping[str, Any]) -> None:
    for key, read in _READERS.items():
        try:
            value = read(values.get(key), key)
        except Bad as bad:
            draft.complain(bad.what, bad.fix)
        else:
            draft.values[key] = value
    extra = {k: plain_text(v) for k, v in values.items() if k not in _READERS and k not in _IGNORED}
    draft.values["extra"] = canonical({k: v for k, v in extra.items() if v is not None})
    _check_together(draft)


def _check_together(draft: Draft) -> None:
    values = draft.values
    if values.get("text") == "" and values.get("segments") == []:
        draft.complain("neither `text` nor `segments`", "say what is spoken, or delete the line")
    if "lat" in values and "lon" in values and (values["lat"] is None) != (values["lon"] is None):
        draft.complain("`lat` and `lon` must come together", "give both or neither")


def words_of(value: object, key: str = "words") -> list[WordRow]:
    """Words with times, from objects ``{word, start, end}`` or triples ``[word, start, end]``, in order of time."""
    words = [_word(item) for item in _items(value, key)]
    for before, after in pairwise(words):
        if after["start"] < before["start"]:
            what = f"{after['word']!r} at {after['start']} s after {before['word']!r} at {before['start']} s"
            raise Bad(f"words out of order: {what}", "sort `words` by start")
    return words


def check_times(draft: Draft, duration_s: float) -> None:
    """Complain where a word or segment lies outside the recording."""
    for key, name in (("words", "word"), ("segments", "speaker")):
        for item in draft.values.get(key) or ():
            if item["end"] > duration_s + TOLERANCE_S:
                what = f"{key[:-1]} {item[name]!r} ends at {item['end']} s, after the audio ({duration_s:.3f} s)"
                draft.complain(what, "correct the times, or the audio file")
                break


# --- one reader a key ---------------------------------------------------------------------------------------------


def _name(value: object, key: str) -> str:
    if value is None or value == "":
        raise Bad(f"no `{key}`", f"give every line an `{key}`" if key == "id" else "give the path of the audio file")
    if not isinstance(value, str):
        raise Bad(f"`{key}` is a {_kind(value)}, not text", "put it in quotes")
    return value


def _path(value: object, key: str) -> str:
    text = _name(value, key)
    posix, windows = PurePosixPath(text), PureWindowsPath(text)
    if posix.is_absolute() or windows.drive or windows.root or ".." in posix.parts or "\0" in text:
        raise Bad(f"audio path {text!r} leaves the folder", "give a path inside the folder, without '..'")
    return text


def _text(value: object, key: str) -> str:
    if value is not None and not isinstance(value, str):
        raise Bad(f"`{key}` is a {_kind(value)}, not text", "put it in quotes")
    return (value or "").strip()


def _label(value: object, key: str) -> str | None:
    if isinstance(value, bool | list | dict):
        raise Bad(f"`{key}` is a {_kind(value)}, not text", "give a name or null")
    return plain_text(value)


def _split(value: object, key: str) -> str | None:
    label = _label(value, key)
    if label is None or label.lower() in ALIASES:
        return label and ALIASES[label.lower()]
    near = get_close_matches(label.lower(), ALIASES, n=1)
    raise Bad(f"unknown split {label!r}", f"use {near[0]!r}" if near else f"use one of {', '.join(ALIASES)}")


def _degrees(limit: float) -> Callable[[object, str], float | None]:
    def read(value: object, key: str) -> float | None:
        if value is None:
            return None
        number = _number(value, key)
        if abs(number) > limit:
            raise Bad(f"`{key}` {number} is out of range", f"give degrees within -{limit} and {limit}, or null")
        return number

    return read


def _segments(value: object, key: str) -> list[SegmentRow]:
    return sorted((_segment(item) for item in _items(value, key)), key=lambda s: (s["start"], s["end"]))


def _segment(item: object) -> SegmentRow:
    if not isinstance(item, dict):
        raise Bad(f"a segment is a {_kind(item)}", "write segments as {speaker, start, end, text}")
    start, end = _span(item.get("start"), item.get("end"), "segments")
    speaker, text = _label(item.get("speaker"), "speaker"), _text(item.get("text"), "text")
    return {"speaker": speaker, "start": start, "end": end, "text": text}


def _word(item: object) -> WordRow:
    if isinstance(item, dict):
        item = [item.get("word"), item.get("start"), item.get("end")]
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[0], str):
        raise Bad("a word is not {word, start, end}", "write words as {word, start, end} or [word, start, end]")
    start, end = _span(item[1], item[2], "words")
    return {"word": item[0], "start": start, "end": end}


def _span(first: object, last: object, key: str) -> tuple[float, float]:
    start, end = _number(first, f"{key}.start"), _number(last, f"{key}.end")
    if not 0 <= start <= end:
        raise Bad(f"`{key}` has a span from {start} to {end} s", "give 0 <= start <= end, in seconds")
    return start, end


def _items(value: object, key: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise Bad(f"`{key}` is a {_kind(value)}, not a list", "give a list or null")
    return value or []


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Bad(f"`{key}` is a {_kind(value)}, not a number", "give a number without quotes")
    return float(value)


def _kind(value: object) -> str:
    names = {str: "text", bool: "true/false", int: "number", float: "number", list: "list", dict: "object"}
    return names.get(type(value), "null")


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


_READERS: Mapping[str, Callable[[object, str], Any]] = {
    "id": _name, "audio": _path, "text": _text, "segments": _segments, "words": words_of, "speaker": _label,
    "split": _split, "gender": _label, "age": _label, "accent": _label, "area_code": _label,
    "lat": _degrees(90.0), "lon": _degrees(180.0),
}  # fmt: skip
