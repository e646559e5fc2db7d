"""What a walk from an object sees, and what it takes for raw audio."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from earmark.bench.contract.endurance import _growth, _holding, _planted
from earmark.bench.contract.reach import reach

PLANTED = _planted(16_000)
OTHER = np.random.default_rng(0).normal(size=16_000).astype(np.float32)


def closure(samples: Any) -> Callable[[], Any]:
    return lambda: samples


def generator(samples: Any) -> Any:
    def running() -> Any:
        kept = samples.copy()
        yield 0
        yield kept

    made = running()
    next(made)
    return made


HIDDEN: dict[str, Callable[[Any], Any]] = {
    "an array": lambda x: x,
    "a view of its end": lambda x: np.concatenate([x, OTHER])[-10:],
    "a view through torch": lambda x: torch.from_numpy(np.concatenate([OTHER, x]))[:3],
    "a tensor": lambda x: torch.from_numpy(x) * 3,
    "half precision": lambda x: torch.from_numpy(x).to(torch.bfloat16),
    "double precision, louder": lambda x: 7.0 * x.astype(np.float64),
    "16-bit bytes": lambda x: (x * 32767).astype(np.int16).tobytes(),
    "8-bit bytes": lambda x: (x * 127).astype(np.int8).tobytes(),
    "float bytes": lambda x: bytearray(x.tobytes()),
    "a list of numbers": lambda x: x.tolist(),
    "10 ms pieces in a deque": lambda x: deque(np.split(x, 100)),
    "a closure": closure,
    "a generator": generator,
    "deep inside": lambda x: {"a": [SimpleNamespace(b=(x, 3))]},
    "negative": lambda x: -x,
}


@pytest.mark.parametrize("how", HIDDEN)
def test_raw_audio_is_found_wherever_it_is_kept(how: str) -> None:
    stream = SimpleNamespace(kept=HIDDEN[how](PLANTED.copy()))
    assert _holding(reach([stream]).buffers.values(), PLANTED) is not None


@pytest.mark.parametrize("how", HIDDEN)
def test_other_audio_is_not_taken_for_it(how: str) -> None:
    stream = SimpleNamespace(kept=HIDDEN[how](OTHER.copy()))
    assert _holding(reach([stream]).buffers.values(), PLANTED) is None


def test_bytes_are_counted_once_however_many_views_there_are() -> None:
    numbers = np.zeros(100_000, dtype=np.float32)
    one = reach([SimpleNamespace(a=numbers)]).n_bytes
    many = reach([SimpleNamespace(a=numbers, b=numbers[::2], c=torch.from_numpy(numbers), d=[numbers] * 10)]).n_bytes
    assert one >= 400_000
    assert many - one < 10_000


def test_modules_and_classes_are_not_entered() -> None:
    class Kept:
        numbers = np.zeros(1_000_000)

    assert reach([Kept(), np, SimpleNamespace(module=torch)]).n_bytes < 100_000


def test_every_tensor_is_seen() -> None:
    layer = torch.nn.LSTM(3, 4)
    assert len(reach([layer]).tensors) >= 4
    assert {tensor.device.type for tensor in reach([torch.zeros(2, device="meta")]).tensors} == {"meta"}


@pytest.mark.parametrize(("bytes_per_s", "jitter"), [(0, 0), (64_000, 0), (64_000, 300_000), (0, 300_000)])
def test_growth_is_the_slope_of_the_lowest_readings(bytes_per_s: int, jitter: int) -> None:
    marks = [(s, 10_000_000 + bytes_per_s * s + (jitter if s % 20 else 0)) for s in range(5, 605, 5)]
    assert _growth(marks) == pytest.approx(bytes_per_s, abs=1)
