from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import NORMALIZERS, normalize
from earmark.bench.metrics.texts import WORD_BY_WORD, character_errors, normalize_many
from earmark.bench.metrics.words import score_many_characters

AWKWARD = " \t\u00a0\u2003\u200d\u00ad'\u2019\u00b4\u00a8\u0301\u0345\ufb01\u1e9e\u03a3\u03c2\u3000\u0130Aa-_.1\u0bcd"
texts = st.lists(st.one_of(st.text(), st.text(AWKWARD)), max_size=5)


@given(texts, st.sampled_from(sorted(WORD_BY_WORD)))
def test_a_normalizer_word_by_word_is_the_normalizer(drawn: list[str], name: str) -> None:
    assert normalize_many(drawn, name) == [normalize(text, name) for text in drawn]


def test_another_normalizer_sees_whole_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.bench.metrics.normalize.NORMALIZERS", {**NORMALIZERS, "back-1": lambda t: t[::-1]})
    assert normalize_many(["a bc"], "back-1") == ["cb a"]
    with pytest.raises(InputError, match="no text normalizer"):
        normalize_many([], "basic-2")


@given(st.lists(st.tuples(st.text("ab ", max_size=8), st.text("ab ", max_size=8)), max_size=5))
def test_character_errors_are_those_of_the_scorer(drawn: list[tuple[str, str]]) -> None:
    references, hypotheses = (normalize_many((pair[i] for pair in drawn), "raw-1") for i in (0, 1))
    expected = [errors.errors for errors in score_many_characters(references, hypotheses)]
    assert character_errors(references, hypotheses).tolist() == expected
