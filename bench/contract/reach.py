"""What can be reached from an object: its tensors, its buffers and their bytes.

Everything that Python's garbage collector can follow is seen: attributes, containers, closures, generators, NumPy
arrays, torch storages, bytes and lists of numbers. Memory inside C libraries, of other processes and of other
threads' stacks is not.
"""

from __future__ import annotations

import array
import gc
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_MAX_OBJECTS = 5_000_000
_SMALLEST_LIST = 64


@dataclass(slots=True)
class Reach:
    """What was found: tensors, number buffers by address, and bytes of everything."""

    tensors: list[Tensor] = field(default_factory=list)
    buffers: dict[tuple[int, int], NDArray[Any]] = field(default_factory=dict)
    n_bytes: int = 0


def reach(roots: Iterable[object]) -> Reach:
    """Walk from ``roots``; modules and classes are not entered, which would lead to everything there is."""
    found = Reach()
    for item in _walk(roots):
        buffer = _buffer(item, found)
        if buffer is None:
            found.n_bytes += sys.getsizeof(item, 0)
        elif buffer.nbytes and (key := (_address(buffer), buffer.nbytes)) not in found.buffers:
            found.buffers[key] = buffer
            found.n_bytes += buffer.nbytes
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


def _buffer(item: object, found: Reach) -> NDArray[Any] | None:
    """The item's numbers as a flat array, without a copy where there is none to make; None if it holds none itself."""
    if isinstance(item, np.ndarray):
        return _owner(item)
    if isinstance(item, (bytes, bytearray, array.array)):
        return np.frombuffer(item, dtype=np.uint8) if len(item) else None
    if isinstance(item, (list, tuple)) and len(item) >= _SMALLEST_LIST and type(item[0]) in (float, int):
        return _numbers(item)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(item, torch.Tensor):
        found.tensors.append(item)
        return _storage(item)
    return None


def _owner(item: NDArray[Any]) -> NDArray[Any] | None:
    """Only the array that owns its memory counts; views of it are met on the way to it."""
    if isinstance(item.base, np.ndarray) or item.dtype.hasobject:
        return None
    return item.ravel(order="K")


def _numbers(item: list[Any] | tuple[Any, ...]) -> NDArray[Any] | None:
    try:
        return np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _storage(tensor: Tensor) -> NDArray[Any] | None:
    """All numbers of the storage behind a tensor, on the host."""
    import torch

    if tensor.device.type == "meta" or tensor.is_quantized or tensor.layout != torch.strided:
        return None
    with torch.no_grad():
        flat = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(tensor.untyped_storage())
        plain = flat if flat.dtype != torch.bfloat16 else flat.float()
        return np.asarray(plain.cpu().numpy())


def _address(buffer: NDArray[Any]) -> int:
    return int(buffer.__array_interface__["data"][0])
