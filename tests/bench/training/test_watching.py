"""Losses and weights by group: sums over what was seen since the last look."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch

from earmark.bench.api import InputError, Losses
from earmark.bench.training.watching import Watch, spoken_of

ROWS = pa.table({"speaker": ["a", "b", "c", "d"], "gender": ["female", "male", "male", None]})


def losses(items: list[float] | None, weights: list[float] | None = None) -> Losses:
    told = [None if numbers is None else torch.tensor(numbers) for numbers in (items, weights)]
    return Losses({}, *told)


def test_a_look_gives_means_since_the_last() -> None:
    watch = Watch(ROWS, ["gender"])
    watch.see([0, 1, 1], losses([1.0, 2.0, 4.0], [2.0, 1.0, 3.0]))
    watch.see([1, 2], losses([3.0, 3.0], [2.0, 2.0]))
    assert watch.look() == {
        "gender": {
            "female": {"n": 1.0, "loss": 1.0, "weight": 2.0},
            "male": {"n": 4.0, "loss": 3.0, "weight": 2.0},
        }
    }
    assert watch.look() == {}


def test_without_weights_each_counts_one_and_without_items_nothing_is_seen() -> None:
    watch = Watch(ROWS, ["gender"])
    watch.see([3], losses([5.0]))
    watch.see([0], losses(None))
    assert watch.look() == {"gender": {"None": {"n": 1.0, "loss": 5.0, "weight": 1.0}}}


def test_sums_are_taken_up_again() -> None:
    first, second = Watch(ROWS, ["gender"]), Watch(ROWS, ["gender"])
    first.see([0, 1], losses([1.0, 2.0]))
    second.restore(first.sums.clone())
    assert second.look() == first.look() != {}


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no column 'accent' to watch; there is speaker, gender"):
        Watch(ROWS, ["accent"])


def test_a_line_of_the_log_leaves_groups_out() -> None:
    assert spoken_of({"step": 3, "loss": 1.25, "watched": {"gender": {}}}) == "loss 1.25"
