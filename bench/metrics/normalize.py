"""Versioned text normalizers: what is done to reference and hypothesis before they are compared.

A name never changes its meaning: a better rule gets a new version, and the rows say which one they used. A
normalizer can hide or invent a gap between dialects, so compare ``raw-1`` with it before believing either.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from earmark.bench.api import InputError

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u00b4\uff07"), "'")
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def normalize(text: str, name: str) -> str:
    """``text`` under the normalizer ``name``; raises InputError for an unknown one.

    >>> normalize("It\u2019s  half-past SIX, isn't it?", "basic-1")
    "it's half past six isn't it"
    """
    try:
        return NORMALIZERS[name](text)
    except KeyError:
        near = get_close_matches(name, NORMALIZERS, n=1) or list(NORMALIZERS)
        raise InputError(f"no text normalizer is called {name!r}", fix=f"try {' or '.join(near)}") from None


def _raw_1(text: str) -> str:
    """Only whitespace: runs become one space, none at the ends."""
    return " ".join(text.split())


def _basic_1(text: str) -> str:
    """Case, punctuation and compatibility forms, for any language; words and numbers stay as they are written.

    1. Invisible format characters (soft hyphen, zero-width joiners) go; the rest is put in NFKC, casefolded and put
       in NFKC again.
    2. Typographic apostrophes become "'". An apostrophe between two letters, marks or digits stays ("don't",
       "o'clock"); any other goes ("'tis" is "tis", "dogs'" is "dogs").
    3. Every other character that isn't a letter, mark or digit becomes a space: punctuation, hyphens ("half-past" is
       two words) and symbols. "3.5%" is "3 5".
    4. Whitespace as in raw-1.
    """
    text = text.translate(_APOSTROPHES)  # before NFKC, which breaks an acute accent into a space and a mark
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_APOSTROPHES)
    text = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return _raw_1(_LONE_APOSTROPHE.sub(" ", text))


NORMALIZERS: Mapping[str, Callable[[str], str]] = MappingProxyType({"raw-1": _raw_1, "basic-1": _basic_1})
"""All normalizers by name."""
