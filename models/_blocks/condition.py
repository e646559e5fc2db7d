"""A condition beside the audio: a few numbers about a recording, such as the cohort of its speaker, as an extra input.

Toward fairness in ASR (https://arxiv.org/abs/2207.11345) gives the acoustic model a two-dimensional cohort embedding;
where it enters is not known. Here a linear layer of the condition is added to every frame that the encoder hears.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from earmark.bench.api import Condition, InputError


class ConditionInput(nn.Module):
    """Adds a projection of the condition to frames. It begins with zeros and without a draw, so it changes nothing.

    A linear layer on frame and condition side by side could do the same, and could not begin without a change.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, width))

    @property
    def size(self) -> int:
        return self.weight.shape[0]

    def forward(self, frames: Tensor, conditions: Tensor) -> Tensor:
        """(B, T, width) frames, (B, size) conditions -> (B, T, width)."""
        return frames + self.shift(conditions)

    def shift(self, conditions: Tensor) -> Tensor:
        """(B, size) -> (B, 1, width), what is added to every frame."""
        return torch.mm(conditions, self.weight)[:, None]

    def macs(self, n_recordings: int) -> int:
        """Multiply-accumulates: the condition of a recording is projected once."""
        return n_recordings * self.weight.numel()


def read_conditions(given: Sequence[Condition | None], layer: ConditionInput | None, *, plugin: str) -> Tensor | None:
    """(B, size) conditions on the layer's device, zeros where none is given; None where there is no layer.

    Raises:
        InputError: a condition of the wrong length or with a number that is not finite.
    """
    size = 0 if layer is None else layer.size
    for condition in given:
        if condition is not None:
            _check(condition, size, plugin)
    if layer is None:
        return None
    rows = [(0.0,) * size if condition is None else condition for condition in given]
    return torch.tensor(rows, dtype=layer.weight.dtype, device=layer.weight.device).reshape(len(rows), size)


def _check(condition: Condition, size: int, plugin: str) -> None:
    if len(condition) != size:
        what = f"a condition of {len(condition)} numbers for a model that takes {size or 'none'}"
        raise InputError(what, where=plugin, fix=f"give {size} numbers" if size else "make one with with_condition()")
    if not all(math.isfinite(number) for number in condition):
        raise InputError(f"condition {condition} is not finite", where=plugin, fix="give finite numbers")
