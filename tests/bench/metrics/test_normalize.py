from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import NORMALIZERS, normalize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Two\twords\n", "two words"),
        ("It’s half-past SIX, isn’t it?", "it's half past six isn't it"),
        ("'tis the dogs' 'bowl'", "tis the dogs bowl"),
        ("o'clock rock 'n' roll", "o'clock rock n roll"),
        ("'", ""),
        ("3.5% of $20", "3 5 of 20"),
        ("STRASSE straße", "strasse strasse"),
        ("ﬁne ｆｕｌｌ", "fine full"),  # ligature and full-width letters
        ("co\u00adoperate", "cooperate"),  # soft hyphen
        ("cafe\u0301", "café"),  # letter and combining accent become one character
        ("नमस्ते।", "नमस्ते"),  # vowel signs are marks and stay
        ("snake_case", "snake case"),
        ("...", ""),
        ("", ""),
    ],
)
def test_basic_1(text: str, expected: str) -> None:
    assert normalize(text, "basic-1") == expected


def test_raw_1_touches_whitespace_only() -> None:
    assert normalize(" It's  HALF-past,\n six ", "raw-1") == "It's HALF-past, six"


@pytest.mark.parametrize("name", sorted(NORMALIZERS))
@given(text=st.text(max_size=20))
def test_twice_is_once(name: str, text: str) -> None:
    once = normalize(text, name)
    assert normalize(once, name) == once


@given(text=st.text(max_size=20))
def test_basic_1_ignores_case_of_ascii_and_outer_punctuation(text: str) -> None:
    ascii_upper = "".join(c.upper() if c.isascii() else c for c in text)
    assert normalize(ascii_upper, "basic-1") == normalize(text, "basic-1") == normalize(f"({text})", "basic-1")


def test_unknown_normalizer_names_a_near_one() -> None:
    with pytest.raises(InputError, match=r"'basic-2'.*basic-1"):
        normalize("a", "basic-2")
