from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics import streamed
from earmark.bench.metrics.streamed import equal_error_rate_streamed
from earmark.bench.metrics.verification import equal_error_rate

Pair = tuple[NDArray[np.floating], NDArray[np.floating]]
sides = st.lists(st.integers(0, 30).map(lambda x: x / 8), min_size=1, max_size=40)


def pieces(targets: NDArray[np.floating], others: NDArray[np.floating], n: int) -> Callable[[], Iterator[Pair]]:
    return lambda: zip(np.array_split(targets, n), np.array_split(others, n), strict=True)


@given(sides, sides, st.integers(1, 4), st.integers(1, 50))
def test_it_is_the_plain_rate(targets: list[float], others: list[float], n: int, max_kept: int) -> None:
    """Whatever the pieces, and however often bins are divided."""
    read = pieces(np.array(targets), np.array(others), n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "N_BINS", 16)
        found = equal_error_rate_streamed(read, max_kept=max_kept)
    assert found == pytest.approx(equal_error_rate(targets, others))


def test_with_all_its_bins() -> None:
    rng = np.random.default_rng(1)
    targets, others = np.round(rng.normal(2, 1, 800), 2), np.round(rng.normal(0, 1, 900), 2)
    assert equal_error_rate_streamed(pieces(targets, others, 3), max_kept=5) == pytest.approx(
        equal_error_rate(targets, others)
    )


def test_single_precision_and_bins_that_are_divided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "N_BINS", 4)
    rng = np.random.default_rng(0)
    targets, others = rng.normal(2, 1, 3000).astype(np.float32), rng.normal(0, 1, 9000).astype(np.float32)
    found = equal_error_rate_streamed(pieces(targets, others, 7), max_kept=3)
    assert found == pytest.approx(equal_error_rate(targets, others), abs=1e-12)


def test_memory_does_not_grow_with_the_scores() -> None:
    def read(n_pieces: int) -> Callable[[], Iterator[Pair]]:
        def draw() -> Iterator[Pair]:
            rng = np.random.default_rng(0)
            for _ in range(n_pieces):
                yield rng.normal(2, 1, 5000).astype(np.float32), rng.normal(0, 1, 20_000).astype(np.float32)

        return draw

    peaks = []
    for n_pieces in (4, 40):
        tracemalloc.start()
        equal_error_rate_streamed(read(n_pieces), max_kept=5000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(
    ("targets", "others", "message"), [([], [1.0], "no target"), ([1.0], [], "no non-target"), ([np.nan], [1.0], "NaN")]
)
def test_bad_scores_are_refused(targets: list[float], others: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        equal_error_rate_streamed(pieces(np.array(targets), np.array(others), 1))
