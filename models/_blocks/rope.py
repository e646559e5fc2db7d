"""Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864, section 3.2): queries and keys are turned by
angles that grow with time, so that their products depend on how far apart they are and not on when they were heard.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

Turn: TypeAlias = Tensor
"""Cosines and signed sines of some frames, (n, 2, width)."""
MANY = 4096
"""Numbers from which on it is quicker to copy halves than to pick places."""


class Rotary(nn.Module):
    """Turns the first and the second half of a head by the same angles; the last place of an odd head stays."""

    rates: Tensor
    partner: Tensor

    def __init__(self, width: int, *, base: float = 10_000.0) -> None:
        super().__init__()
        half = width // 2
        rates = base ** -(torch.arange(half, dtype=torch.float64) / max(1, half))
        partner = [*range(half, 2 * half), *range(half), *range(2 * half, width)]
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("partner", torch.tensor(partner), persistent=False)

    def at(self, times: Tensor) -> Turn:
        """The turns of (n,) frames by their numbers; angles are float64, exact however long a stream is."""
        n, angles = len(times), times[:, None] * self.rates  # (n, half)
        cosines, sines = angles.cos().float(), angles.sin().float()
        rest = len(self.partner) - 2 * len(self.rates)
        both = [cosines, cosines, cosines.new_ones(n, rest), -sines, sines, sines.new_zeros(n, rest)]
        return torch.cat(both, dim=1).view(n, 2, -1)

    def forward(self, x: Tensor, turn: Turn) -> Tensor:
        """(..., n, width) turned by the (n, 2, width) of ``turn``."""
        cosines, sines = turn.unbind(1)
        return self._swapped(x).mul_(sines).addcmul_(x, cosines)

    def turn_(self, x: Tensor, turn: Turn) -> Tensor:
        """The same in place."""
        cosines, sines = turn.unbind(1)
        partner = self._swapped(x)
        return x.mul_(cosines).addcmul_(partner, sines)

    def _swapped(self, x: Tensor) -> Tensor:
        """Its halves exchanged."""
        if x.numel() < MANY:
            return x.index_select(-1, self.partner)
        half = len(self.rates)
        first, second, rest = x.split_with_sizes([half, half, x.shape[-1] - 2 * half], dim=-1)
        return torch.cat([second, first, rest], dim=-1)
