"""What can be reached from an object: its tensors, its buffers and their bytes.

Everything that Python's garbage collector can follow is seen: attributes, containers, closures, generators, NumPy
arrays, torch storages, bytes and lists of numbers. Memory inside C libraries, of other processes and of other
threads' stacks is not.
"""

from __future__ import annotations

import array
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_MAX_OBJECTS = 5_000_000
_SMALLEST_LIST = 64


@dataclass(frozen=True, slots=True)
class Buffer:
    """A block of numbers in memory; ``read`` copies it to the host where it lives elsewhere."""

    address: int
    n_bytes: int
    read: Callable[[], NDArray[Any]]


@dataclass(slots=True)
class Reach:
    """What was found: tensors, number buffers by address and size, and bytes of everything."""

    tensors: list[Tensor] = field(default_factory=list)
    buffers: dict[tuple[int, int], Buffer] = field(default_factory=dict)
    n_bytes: int = 0


def reach(roots: Iterable[object]) -> Reach:
    """Walk from ``roots``; modules and classes are not entered, which would lead to everything there is."""
    found = Reach()
    for item in _walk(roots):
        buffer = _buffer(item, found)
        if buffer is None:
            found.n_bytes += sys.getsizeof(item, 0)
        elif buffer.n_bytes and (buffer.address, buffer.n_bytes) not in found.buffers:
            found.buffers[buffer.address, buffer.n_bytes] = buffer
            found.n_bytes += buffer.n_bytes
    return found


def _walk(roots: Iterable[object]) -> Iterator[object]:
    seen = {id(vars(module)) for module in [*sys.modules.values()] if isinstance(module, ModuleType)}
    waiting = [*roots]
    while waiting and len(seen) < _MAX_OBJECTS:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType, CodeType, FrameType)):
            continue
        seen.add(id(item))
        yield item
        waiting += gc.get_referents(item)
        if isinstance(item, np.ndarray) and item.base is not None:
            waiting.append(item.base)
        elif isinstance(item, memoryview):
            waiting.append(item.obj)


def _buffer(item: object, found: Reach) -> Buffer | None:
    """The block of numbers that the item is or stands for; None if there is none."""
    if isinstance(item, np.ndarray):
        # only the array that owns its memory counts: views are led back to it
        return None if isinstance(item.base, np.ndarray) or item.dtype.hasobject else _of(item.ravel(order="K"))
    if isinstance(item, (bytes, bytearray, array.array)):
        return _of(np.frombuffer(item, dtype=np.uint8)) if len(item) else None
    if isinstance(item, (list, tuple)) and len(item) >= _SMALLEST_LIST and type(item[0]) in (float, int):
        return _numbers(item)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(item, torch.Tensor):
        found.tensors.append(item)
        return _storage(item)
    return None


def _of(numbers: NDArray[Any]) -> Buffer:
    return Buffer(int(numbers.__array_interface__["data"][0]), numbers.nbytes, lambda: numbers)


def _numbers(item: list[Any] | tuple[Any, ...]) -> Buffer | None:
    try:
        return _of(np.asarray(item, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        return None


def _storage(tensor: Tensor) -> Buffer | None:
    """The whole storage behind a tensor: a small view may keep a long recording alive."""
    import torch

    if tensor.device.type == "meta" or tensor.is_quantized or tensor.layout != torch.strided:
        return None
    storage = tensor.untyped_storage()

    def read() -> NDArray[Any]:
        with torch.no_grad():
            flat = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(storage)
            return np.asarray((flat.float() if flat.dtype == torch.bfloat16 else flat).cpu().numpy())

    return Buffer(storage.data_ptr(), storage.nbytes(), read)
