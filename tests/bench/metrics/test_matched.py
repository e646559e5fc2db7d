"""MAPSSWE: cases counted by hand, and another implementation that walks the reference word by word."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from earmark.bench.api import InputError
from earmark.bench.metrics.matched import matched_errors, matched_pairs
from earmark.bench.metrics.words import Aligned, align_words, score_many

Texts = list[tuple[str, str, str]]


def segments(*texts: tuple[str, str, str]) -> list[tuple[int, int]]:
    found = matched_errors(*zip(*texts, strict=True))
    return list(zip(found.first_by_segment.tolist(), found.second_by_segment.tolist(), strict=True))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a b c d e f g", "a b c d e f g", []),
        ("a X c d e f g", "a b c d Y f g", [(1, 0), (0, 1)]),  # c d are right in both: two segments
        ("a X c d e f g", "a b c Y e f g", [(1, 1)]),  # c alone does not part them
        ("X b c d e f Z", "a b c d e f Z", [(1, 0), (1, 1)]),
        ("a c d e f g", "a b c d e f g", [(1, 0)]),  # a deletion
        ("a b X c d e f g", "a b c d e f g Y", [(1, 0), (0, 1)]),  # insertions, c to g between them
        ("a b X Y c d Z e f g", "a b c d e f g", [(2, 0), (1, 0)]),  # c d between insertions
        ("a b X c Z d e f g", "a b c d e f g", [(2, 0)]),
        ("", "a b c d e f g", [(7, 0)]),
        ("a X c Y e Z g", "a b c d e f g", [(3, 0)]),
    ],
)
def test_segments_by_hand(first: str, second: str, expected: list[tuple[int, int]]) -> None:
    assert segments(("a b c d e f g", first, second)) == expected
    assert segments(("a b c d e f g", second, first)) == [(b, a) for a, b in expected]


def test_a_run_never_crosses_utterances() -> None:
    assert segments(("a b", "X b", "a b"), ("a b", "a b", "a X")) == [(1, 0), (0, 1)]


def test_the_statistic_by_hand() -> None:
    """Differences -1, -1, 0, 1, -1 have mean -0.4 and variance 0.8: Z = -0.4 / sqrt(0.8 / 5) = -1."""
    texts = [("a", "x", "a"), ("a", "x", "a"), ("a", "x", "x"), ("a", "a", "x"), ("a", "x", "a")]
    found = matched_pairs(matched_errors(*zip(*texts, strict=True)))
    assert (found.n_segments, found.mean) == (5, pytest.approx(-0.4))
    assert found.z == pytest.approx(-1.0)
    assert found.p_value == pytest.approx(0.31731050786291415)  # two tails of the normal distribution beyond 1


def test_nothing_to_test_has_no_p_value() -> None:
    assert matched_pairs(matched_errors(["a"], ["a"], ["a"])).p_value is None
    assert matched_pairs(matched_errors(["a", "b"], ["x", "x"], ["a", "b"])).p_value is None  # all the same: no spread
    assert matched_pairs(matched_errors([], [], [])).n_segments == 0
    with pytest.raises(InputError, match="2 references"):
        matched_errors(["a", "b"], ["a"], ["a", "b"])


# --- another implementation ---------------------------------------------------------------------------------------

words = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)
texts = st.lists(st.tuples(words, words, words), min_size=1, max_size=6)


def spelled(steps: tuple[Aligned, ...], n_words: int) -> list[str]:
    """For gap 0, word 0, gap 1, word 1, ... the errors there, as a digit."""
    places = [0] * (2 * n_words + 1)
    at = 0
    for step in steps:
        if step.op == "insert":
            places[2 * at] += 1
        else:
            at += 1
            places[2 * at - 1] += step.op != "equal"
    return [str(n) for n in places]


def walked(reference: str, first: str, second: str) -> list[tuple[int, int]]:
    """Errors are written along the reference and the writing is split wherever two words are right on both sides."""
    n = len(reference.split())
    one, other = (spelled(align_words(reference, text), n) for text in (first, second))
    line = "".join(f"{a}{b}{'w' if i % 2 else 'g'}" for i, (a, b) in enumerate(zip(one, other, strict=True)))
    clean = "(?:00g)?00w(?:00g00w)+(?:00g)?"
    pieces = [re.findall(r"(\d)(\d)[gw]", piece) for piece in re.split(clean, line)]
    counted = [(sum(int(a) for a, _ in piece), sum(int(b) for _, b in piece)) for piece in pieces]
    return [pair for pair in counted if any(pair)]


@given(texts)
def test_segments_as_another_walk_finds_them(drawn: Texts) -> None:
    assert segments(*drawn) == [pair for text in drawn for pair in walked(*text)]


@given(texts)
def test_counts_are_those_of_the_error_rate(drawn: Texts) -> None:
    found = matched_errors(*zip(*drawn, strict=True))
    references, first, second = (list(side) for side in zip(*drawn, strict=True))
    for counted, said in ((found.first, first), (found.second, second)):
        scored = score_many(references, said)
        assert counted.tolist() == [errors.errors for errors in scored]
        assert found.words.tolist() == [errors.reference_words for errors in scored]
    assert found.first_by_segment.sum() == found.first.sum()
    assert found.second_by_segment.sum() == found.second.sum()


def test_z_is_that_of_a_t_test_on_segments() -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array(list("abcdefgh"))
    references = [" ".join(rng.choice(vocabulary, 12)) for _ in range(200)]

    def heard() -> list[str]:
        return [" ".join("x" if rng.random() < 0.1 else w for w in text.split()) for text in references]

    errors = matched_errors(references, heard(), heard())
    found = matched_pairs(errors)
    oracle = stats.ttest_rel(errors.second_by_segment, errors.first_by_segment)
    assert found.z == pytest.approx(float(oracle.statistic))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(float(oracle.statistic))))
