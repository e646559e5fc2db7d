"""Tests that need a GPU skip loudly where there is none."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if wanting and not _has_cuda():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="NOT TESTED: no CUDA device here"))


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())
