"""What kernels are held against: a machine's products, its memory and its Python, timed in the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from turns import READ_BYTES

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIDE, N_STEPS = 512, 20_000

pytestmark = pytest.mark.usefixtures("one_thread")


def test_reference_product(benchmark: BenchmarkFixture) -> None:
    square = torch.ones(SIDE, SIDE)
    assert float(benchmark(torch.mm, square, square)[0, 0]) == SIDE


def test_reference_read(benchmark: BenchmarkFixture) -> None:
    one, other = torch.ones(2, READ_BYTES // 8)
    assert float(benchmark(torch.dot, one, other)) > 0


def test_reference_python(benchmark: BenchmarkFixture) -> None:
    def walk() -> int:
        seen: dict[int, int] = {}
        for step in range(N_STEPS):
            seen[step % 97] = seen.get(step % 97, 0) + step
        return sum(seen.values())

    assert benchmark(walk) == N_STEPS * (N_STEPS - 1) // 2
