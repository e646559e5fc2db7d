from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.bench.corpora import splits


def people(n: int, per: int = 2, split: str | None = "test", groups: int = 4) -> list[dict[str, Any]]:
    """``n`` speakers in ``groups`` equal strata of gender, ``per`` rows each."""
    return [
        {"id": f"u{s}-{k}", "speaker": f"s{s}", "split": split, "gender": f"g{s % groups}", "accent": None}
        for s in range(n)
        for k in range(per)
    ]


names = st.sampled_from([f"s{i}" for i in range(12)])
rows_of_anybody = st.lists(
    st.fixed_dictionaries(
        {
            "speaker": st.none() | names,
            "segments": st.lists(st.fixed_dictionaries({"speaker": st.none() | names}), max_size=2),
            "gender": st.sampled_from([None, "f", "m"]),
            "accent": st.sampled_from([None, "x", "y"]),
            "split": st.just("test"),
        }
    ),
    max_size=25,
).map(lambda rows: [{**row, "id": f"u{i}"} for i, row in enumerate(rows)])


@settings(max_examples=40, deadline=None)
@given(rows_of_anybody, st.integers(0, 3), st.booleans())
def test_divided_splits_are_disjoint_in_speakers(rows: list[dict[str, Any]], seed: int, ignore: bool) -> None:
    dealt = splits.divide(rows, seed=seed, ignore=ignore)
    assert splits.clashes([{**row, "split": split} for row, split in zip(rows, dealt, strict=True)]) == []


@settings(max_examples=40, deadline=None)
@given(rows_of_anybody, st.randoms(use_true_random=False))
def test_division_does_not_depend_on_the_order_of_rows(rows: list[dict[str, Any]], rng: random.Random) -> None:
    def by_id(some: list[dict[str, Any]]) -> dict[str, str]:
        return {row["id"]: split for row, split in zip(some, splits.divide(some), strict=True)}

    assert by_id(rng.sample(rows, len(rows))) == by_id(rows)


def test_a_test_split_is_divided_a_quarter_a_quarter_a_half() -> None:
    counts = Counter(splits.divide_test(people(40, per=1)))
    assert counts == {"discover": 10, "select": 10, "measure": 20}


@pytest.mark.parametrize("seed", range(5))
def test_every_stratum_is_divided_alike(seed: int) -> None:
    rows = people(64, per=1)
    dealt = splits.divide_test(rows, seed=seed)
    for group in range(4):
        counts = Counter(split for row, split in zip(rows, dealt, strict=True) if row["gender"] == f"g{group}")
        assert counts == {"discover": 4, "select": 4, "measure": 8}


def test_other_splits_are_kept() -> None:
    rows = [{**row, "split": "train" if i % 3 else "dev"} for i, row in enumerate(people(9, per=1))]
    assert splits.divide(rows) == [row["split"] for row in rows]


def test_without_splits_everything_is_divided() -> None:
    counts = Counter(splits.divide(people(100, per=1, split=None)))
    assert counts == {"train": 50, "measure": 20, "dev": 10, "discover": 10, "select": 10}


def test_the_seed_moves_speakers() -> None:
    rows = people(40, per=1)
    assert splits.divide_test(rows, seed=0) != splits.divide_test(rows, seed=1)


def test_recordings_without_speaker_stand_for_themselves() -> None:
    rows = [{"id": f"u{i}", "speaker": None, "split": "test", "gender": None, "accent": None} for i in range(8)]
    assert Counter(splits.divide(rows)) == {"discover": 2, "select": 2, "measure": 4}


def test_speakers_of_one_conversation_stay_together() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "ab", "segments": [{"speaker": "a"}, {"speaker": "b"}]},
        {"id": "bc", "segments": [{"speaker": "b"}, {"speaker": "c"}]},
        {"id": "d", "speaker": "d"},
    ]
    assert splits.units_of(rows) == ["speaker a", "speaker a", "speaker d"]


def test_a_speaker_in_two_splits_is_named_with_both_rows() -> None:
    rows = [{"id": "1", "speaker": "a", "split": "train"}, {"id": "2", "speaker": "b", "split": "train"},
            {"id": "3", "speaker": "a", "split": "test"}]  # fmt: skip
    assert splits.clashes(rows) == [splits.Clash("a", (0, 2), ("train", "test"))]


@settings(max_examples=40)
@given(st.integers(0, 200))
def test_apportion_is_never_a_whole_place_off(n: int) -> None:
    for shares in (splits.TEST_SHARES, splits.ALL_SHARES):
        counts = Counter(splits.apportion(n, shares))
        assert sum(counts.values()) == n
        assert all(abs(counts[name] - share * n) < 1 for name, share in shares.items())
