"""The encoder on a GPU: the same embeddings as on the CPU, everything on the device."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.models.resemblyzer.model import build

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def test_cuda_gives_the_embeddings_of_the_cpu() -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal((2, 32_000))).astype(np.float32)
    lengths = np.array([32_000, 20_000])
    on_cpu, on_cuda = (
        build("default", options={}, vocabulary=None, seed=0, device=device).embed(samples, lengths)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(on_cuda, on_cpu, atol=1e-4)
