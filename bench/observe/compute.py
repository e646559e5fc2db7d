"""Counts the multiply-accumulates that a piece of code really executes, independently of what a model claims.

The count is taken at torch's dispatcher, below the modules, so that a branch that was skipped counts nothing and one
that was computed and then masked counts in full. Work outside torch (NumPy, engines in C) is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from earmark.bench.observe.operations import Counting


@dataclass(frozen=True, slots=True)
class Count:
    """MACs in all and by torch operation; ``uncounted`` names operations that ran and that no formula covers."""

    macs: int
    by_op: Mapping[str, int]
    uncounted: tuple[str, ...] = ()


def count_macs(run: Callable[[], object]) -> Count:
    """The MACs that ``run`` executes through torch, in this thread.

    >>> import torch
    >>> layer = torch.nn.LSTM(80, 64, batch_first=True)
    >>> count_macs(lambda: layer(torch.zeros(1, 100, 80))).macs  # 100 x 4 x 64 x (80 + 64)
    3686400
    """
    with _counting() as counting:
        run()
    return _count(counting)


def parametrised_modules_at_zero(model: nn.Module, run: Callable[[], object]) -> tuple[str, ...]:
    """Names of modules inside ``model`` that ran, hold weight matrices, and count no MAC: a hole in the count.

    Embedding tables are left out, for a look-up is no product. A module that ``run`` never called is not listed.
    """
    ran: dict[str, int] = {}
    with _counting() as counting, _watched(model, counting, ran):
        run()
    return tuple(name for name, macs in ran.items() if macs == 0)


def cross_check(claimed: Mapping[str, int], counted: Count, tolerance: float = 0.01) -> str | None:
    """Why a model's claim of its MACs by part disagrees with a count; None where they agree.

    They agree when the sums differ by at most ``tolerance`` of the larger one.
    """
    total = sum(int(macs) for macs in claimed.values())
    larger = max(total, counted.macs)
    if abs(total - counted.macs) <= tolerance * larger:
        return None
    reason = f"claims {total:,} MACs, {counted.macs:,} were counted ({100 * (total - counted.macs) / larger:+.1f} %)"
    return f"{reason}; without a formula: {', '.join(counted.uncounted)}" if counted.uncounted else reason


@contextmanager
def _counting() -> Iterator[Counting]:
    """Counting on; the fast path of transformer layers, one operation that hides its parts, off."""
    import torch

    from earmark.bench.observe.operations import Counting

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with Counting() as counting:
            yield counting
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _count(counting: Counting) -> Count:
    return Count(sum(counting.macs.values()), dict(sorted(counting.macs.items())), tuple(sorted(counting.uncounted)))


@contextmanager
def _watched(model: nn.Module, counting: Counting, ran: dict[str, int]) -> Iterator[None]:
    """Adds to ``ran`` what each module with a weight matrix of its own counts from its call to its return."""
    handles: list[Any] = []
    for name, module in model.named_modules():
        if _multiplies(module):
            handles += _watch(name or type(module).__name__, module, counting, ran)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _watch(name: str, module: nn.Module, counting: Counting, ran: dict[str, int]) -> list[Any]:
    begun: list[int] = []

    def begin(*_: object) -> None:
        begun.append(counting.macs.total())

    def end(*_: object) -> None:
        ran[name] = ran.get(name, 0) + counting.macs.total() - begun.pop()

    return [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]


def _multiplies(module: nn.Module) -> bool:
    from torch import nn

    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return False
    return any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))
