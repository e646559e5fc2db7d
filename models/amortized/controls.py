"""Controls that do not look at the sound: gates that are on by chance, that are off for good, and that learn which of
them are to be off for good.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from earmark.models._blocks.gates import Gates
from earmark.models.amortized.arbitrators import FIRST_BIAS, Phase, Reads, Scope, decide


class RandomGates(nn.Module):
    """On by chance, whatever is heard. In a stream each frame's draws depend on its number alone, so that any chunking
    gives the same; training draws anew.

    ``rates`` are those of ``query``, ``key`` and ``ffn`` gates, by block.

    State: frames so far.
    """

    salt: Tensor
    rates: Tensor
    reads: Reads = "frames"
    per_head = True

    def __init__(self, scope: Scope, rates: Mapping[str, Sequence[float]]) -> None:
        super().__init__()
        self.scope, self.n_blocks = scope, scope.n_blocks
        gates = {"query": scope.heads, "key": scope.heads, "ffn": 1}
        each = [rate for kind, n in gates.items() for rate in rates[kind] for _ in range(n)]
        self.register_buffer("rates", torch.tensor(each), persistent=False)
        self.register_buffer("salt", torch.randint(2**62, ()))

    def forward(self, x: Tensor, phase: Phase | None = None) -> Gates:  # noqa: ARG002 - does not learn
        """(B, T, width) -> gates (B, T, ...), 0 or 1."""
        batch, n = x.shape[:2]
        drawn = torch.rand(batch, n, len(self.rates), device=x.device) if self.training else self._drawn(0, n)
        return self.scope.gates((drawn < self.rates).to(x.dtype).expand(batch, -1, -1))

    def start(self) -> int:
        return 0

    def step(self, x: Tensor, state: int) -> tuple[Gates, int]:
        """(1, k, width) and the frames before -> gates (k, ...) and the frames after."""
        return self.scope.gates(self._drawn(state, x.shape[1]) < self.rates), state + x.shape[1]

    def macs(self, n_frames: int) -> int:  # noqa: ARG002 - draws are no products
        return 0

    def _drawn(self, first: int, n: int) -> Tensor:
        """(n, decisions) numbers in [0, 1) of frames ``first`` and on: SplitMix64 of places (Steele et al. 2014)."""
        places = torch.arange(first * len(self.rates), (first + n) * len(self.rates), device=self.salt.device)
        z = (places + 1) * -0x61C8864680B583EB + self.salt
        z = (z ^ _shifted(z, 30)) * -0x40A7B892E31B1A47
        z = (z ^ _shifted(z, 27)) * -0x6B2FB644ECCEEE15
        z = z ^ _shifted(z, 31)
        return (_shifted(z, 40).float() / 2**24).view(n, len(self.rates))


def _shifted(z: Tensor, by: int) -> Tensor:
    """Logical shift to the right of 64-bit numbers."""
    return (z >> by) & ((1 << (64 - by)) - 1)


class StaticGates(nn.Module):
    """Modules that are off for good: the control that asks whether decisions have to look at the sound at all.

    ``off`` holds (kind, block) pairs; kinds are ``query``, ``key`` and ``ffn``.
    """

    on: Tensor
    reads: Reads = "frames"
    per_head = False

    def __init__(self, scope: Scope, off: Collection[tuple[str, int]]) -> None:
        super().__init__()
        self.scope, self.n_blocks = scope, scope.n_blocks
        kinds = {"query": scope.heads, "key": scope.heads, "ffn": 1}
        on = [float((kind, i) not in off) for kind, n in kinds.items() for i in range(scope.n_blocks) for _ in range(n)]
        self.register_buffer("on", torch.tensor(on), persistent=False)

    def forward(self, x: Tensor, phase: Phase | None = None) -> Gates:  # noqa: ARG002 - does not learn
        """(B, T, width) -> gates (B, T, ...), 0 or 1."""
        return self.scope.gates(self.on.to(x.dtype).expand(*x.shape[:2], -1))

    def start(self) -> None:
        return None

    def step(self, x: Tensor, state: None) -> tuple[Gates, None]:
        """(1, k, width) -> gates (k, ...)."""
        return self.scope.gates((self.on > 0).expand(x.shape[1], -1)), state

    def macs(self, n_frames: int) -> int:  # noqa: ARG002 - nothing is computed
        return 0


class BlindGates(nn.Module):
    """Learned as an arbitrator's gates are, under the same cost, but once for all frames: static pruning that is found
    and not given. What a learned model saves beyond it, it owes to what it hears.
    """

    reads: Reads = "frames"
    per_head = True

    def __init__(self, scope: Scope, *, threshold: float) -> None:
        super().__init__()
        self.scope, self.n_blocks = scope, scope.n_blocks
        self.cut = math.log(threshold / (1.0 - threshold))
        self.logits = nn.Parameter(torch.full((scope.width,), FIRST_BIAS))

    def forward(self, x: Tensor, phase: Phase | None = None) -> Gates:
        """(B, T, width) -> gates (B, T, ...), as an arbitrator's, and the same in all frames."""
        on = decide(self.logits.expand(x.shape[0], 1, -1), phase, cut=0.0 if self.training else self.cut)
        return self.scope.gates(on.expand(*x.shape[:2], -1))

    def start(self) -> None:
        return None

    def step(self, x: Tensor, state: None) -> tuple[Gates, None]:
        """(1, k, width) -> gates (k, ...)."""
        return self.scope.gates((self.logits > self.cut).expand(x.shape[1], -1)), state

    def macs(self, n_frames: int) -> int:  # noqa: ARG002 - nothing is computed
        return 0


class ModuleDropout(nn.Module):
    """LayerDrop (Fan et al. 2020, https://arxiv.org/abs/1909.11556, section 3) by heads and feed-forward modules.

    Each is left out for a share ``rate`` of the recordings, whole recordings long, so that a dense model learns to rely
    on none: what all others were trained around is else never learned to be done without.
    """

    reads: Reads = "frames"
    per_head = True

    def __init__(self, scope: Scope, rate: float) -> None:
        super().__init__()
        self.scope, self.n_blocks, self.rate = scope, scope.n_blocks, rate

    def forward(self, x: Tensor, phase: Phase | None = None) -> Gates:  # noqa: ARG002 - does not learn
        """(B, T, width) -> gates (B, T, ...), 0 or 1 and the same in all frames; a head's queries go with its keys."""
        n, heads = self.n_blocks, self.scope.heads
        drawn = (torch.rand(len(x), 1, n * (heads + 1), device=x.device) >= self.rate).to(x.dtype)
        head, ffn = torch.split(drawn, [n * heads, n], dim=2)
        return self.scope.gates(torch.cat([head, head, ffn], dim=2).expand(-1, x.shape[1], -1))

    def start(self) -> None:
        return None

    def step(self, x: Tensor, state: None) -> tuple[Gates, None]:
        """Nothing is left out of a stream: (1, k, width) -> gates (k, ...), all on."""
        return self.scope.gates(torch.ones(x.shape[1], self.scope.width, dtype=torch.bool, device=x.device)), state

    def macs(self, n_frames: int) -> int:  # noqa: ARG002 - nothing is computed
        return 0
