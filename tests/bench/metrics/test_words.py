from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.words import (
    Aligned,
    WordErrors,
    align_words,
    score_characters,
    score_many,
    score_many_characters,
    score_words,
)

texts = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8).map(" ".join)


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    """Wagner and Fischer's table, one row at a time."""
    row = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("a b c", "a b c", (0, 0, 0, 3)),
        ("a b c", "a x c", (1, 0, 0, 3)),
        ("a b c", "a c", (0, 1, 0, 3)),
        ("a b c", "a b b c", (0, 0, 1, 3)),
        ("a b", "", (0, 2, 0, 2)),
        ("", "a b", (0, 0, 2, 0)),
        ("", "", (0, 0, 0, 0)),
        (" a\t b\n", "a b", (0, 0, 0, 2)),
        ("A", "a", (1, 0, 0, 1)),  # nothing is normalized here
    ],
)
def test_counts(reference: str, hypothesis: str, counts: tuple[int, int, int, int]) -> None:
    assert score_words(reference, hypothesis) == WordErrors(*counts)


def test_characters_count_one_space_between_words() -> None:
    assert score_characters("ab  cd", "abcd") == WordErrors(0, 1, 0, 5)
    assert score_many_characters(["abc", ""], ["axc", "z"]) == [WordErrors(1, 0, 0, 3), WordErrors(0, 0, 1, 0)]


@given(texts, texts)
def test_errors_are_the_edit_distance(reference: str, hypothesis: str) -> None:
    found = score_words(reference, hypothesis)
    assert found.errors == edit_distance(reference.split(), hypothesis.split())
    assert found.reference_words == len(reference.split())
    assert found.insertions - found.deletions == len(hypothesis.split()) - len(reference.split())


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_many_is_each(pairs: list[tuple[str, str]]) -> None:
    many = score_many([r for r, _ in pairs], [h for _, h in pairs])
    assert many == [score_words(r, h) for r, h in pairs]
    assert sum(many, WordErrors()).errors == sum(e.errors for e in many)


@given(texts, texts)
def test_alignment_covers_both_texts_and_agrees_with_the_counts(reference: str, hypothesis: str) -> None:
    steps = align_words(reference, hypothesis)
    words, others = reference.split(), hypothesis.split()
    assert [s.reference_index for s in steps if s.reference_index is not None] == list(range(len(words)))
    assert [s.hypothesis_index for s in steps if s.hypothesis_index is not None] == list(range(len(others)))
    both = [s for s in steps if s.reference_index is not None and s.hypothesis_index is not None]
    for s in both:
        assert (words[s.reference_index or 0] == others[s.hypothesis_index or 0]) == (s.op == "equal")
    assert score_words(reference, hypothesis).errors == sum(s.op != "equal" for s in steps)


def test_alignment_names_each_step() -> None:
    assert align_words("a b c d x", "a c d e y") == (
        Aligned("equal", 0, 0),
        Aligned("delete", 1, None),
        Aligned("equal", 2, 1),
        Aligned("equal", 3, 2),
        Aligned("insert", None, 3),
        Aligned("substitute", 4, 4),
    )


def test_rates_come_from_summed_counts() -> None:
    both = [WordErrors(1, 0, 0, 10), WordErrors(0, 0, 2, 2)]
    assert sum(both, WordErrors()).rate == 3 / 12
    assert sum(both) == both[0] + both[1]
    assert WordErrors(insertions=2).rate is None


def test_bad_counts_and_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="negative"):
        WordErrors(insertions=-1)
    with pytest.raises(InputError, match="more substitutions"):
        WordErrors(substitutions=2, deletions=1, reference_words=2)
    with pytest.raises(InputError, match="2 references for 1"):
        score_many(["a", "b"], ["a"])
    with pytest.raises(InputError):
        score_many("ab", "ab")  # two texts, not two lists of texts
    assert score_many([], []) == []
