"""Who decides what is computed: arbitrators that learn it (https://arxiv.org/abs/2207.02393, section 3), and two
controls that do not look at the sound: chance, and modules that are off for good.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from earmark.models._blocks.gates import Estimator, Gates, gumbel_sigmoid, straight_through
from earmark.models._blocks.recurrent import Dense, StreamingLSTM

Reads: TypeAlias = Literal["frames", "below"]
Network: TypeAlias = Literal["ff", "lstm"]
FIRST_BIAS = 2.0
"""Of every gate: at first nearly all are on."""


MANY = 8
"""Frames from which on the LSTM kernel for sequences, which packs its weights at each call, is the quicker one."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Where the training of gates stands; see :class:`earmark.models.amortized.learning.Schedule`."""

    estimator: Estimator
    temperature: float
    contribution: float
    target: float
    beta: float


@dataclass(frozen=True, slots=True)
class Scope:
    """What is decided: gates of ``n_blocks`` blocks of ``heads`` heads, of which only some kinds may be off."""

    n_blocks: int
    heads: int
    query: bool = True
    key: bool = True
    ffn: bool = True

    @property
    def width(self) -> int:
        """Decisions a frame."""
        return self.n_blocks * (self.heads * (self.query + self.key) + self.ffn)

    def gates(self, decisions: Tensor) -> Gates:
        """(..., width) decisions as gates; what may not be off is on."""
        before, n = decisions.shape[:-1], self.n_blocks
        sizes = [n * self.heads * self.query, n * self.heads * self.key, n * self.ffn]
        query, key, ffn = torch.split(decisions, sizes, dim=-1)
        per_head, per_block = (*before, n, self.heads), (*before, n)
        return Gates(
            query.reshape(per_head) if self.query else decisions.new_ones(per_head),
            key.reshape(per_head) if self.key else decisions.new_ones(per_head),
            ffn.reshape(per_block) if self.ffn else decisions.new_ones(per_block),
        )


@dataclass(frozen=True, slots=True)
class ArbitratorSizes:
    """``projection``: width that frames are brought to first, 0 for none; ``hidden`` units in each of two layers."""

    projection: int
    hidden: int


class Arbitrator(nn.Module):
    """Two layers, feed-forward or LSTM, and a probability for each gate; on where it is above ``threshold``.

    State: that of the LSTM layers.
    """

    def __init__(
        self,
        width: int,
        scope: Scope,
        sizes: ArbitratorSizes,
        *,
        network: Network,
        reads: Reads,
        threshold: float,
    ) -> None:
        super().__init__()
        self.scope, self.reads, self.n_blocks = scope, reads, scope.n_blocks
        self.per_head = scope.query or scope.key
        self.cut = math.log(threshold / (1.0 - threshold))
        self.projection = Dense(width, sizes.projection) if sizes.projection else None
        heard = sizes.projection or width
        self.layers: nn.ModuleList | None = None
        self.lstm: StreamingLSTM | None = None
        if network == "ff":
            self.layers = nn.ModuleList([Dense(heard, sizes.hidden), Dense(sizes.hidden, sizes.hidden)])
        else:
            self.lstm = StreamingLSTM(heard, sizes.hidden, 2)
        self.output = Dense(sizes.hidden, scope.width)
        with torch.no_grad():
            self.output.bias.add_(FIRST_BIAS)

    def forward(self, x: Tensor, phase: Phase | None = None) -> Gates:
        """(B, T, width) -> gates (B, T, ...): soft under Gumbel noise, else 0 or 1 with the gradient of a sigmoid."""
        logits = self.logits(x)
        if phase is not None and phase.estimator == "gumbel":
            soft = gumbel_sigmoid(logits, temperature=phase.temperature, contribution=phase.contribution)
            return self.scope.gates(soft)
        return self.scope.gates(straight_through(logits, cut=0.0 if self.training else self.cut))

    def logits(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, decisions)."""
        x = self._projected(x)
        logits: Tensor = self.output(self._through(x) if self.lstm is None else self.lstm(x))
        return logits

    def start(self) -> Any:
        return None if self.lstm is None else self.lstm.start(1)

    def step(self, x: Tensor, state: Any) -> tuple[Gates, Any]:
        """(1, k, width) and the state before -> gates (k, ...) and the state after."""
        x = self._projected(x)
        if self.lstm is None:
            x = self._through(x)
        else:
            x, state = (self.lstm.run if x.shape[1] >= MANY else self.lstm.step)(x, state)
        return self.scope.gates(self.output(x[0]) > self.cut), state

    def macs(self, n_frames: int) -> int:
        parts = (self.projection, self.lstm, self.output, *(self.layers or ()))
        return sum(part.macs(n_frames) for part in parts if isinstance(part, (Dense, StreamingLSTM)))

    def _projected(self, x: Tensor) -> Tensor:
        return x if self.projection is None else torch.relu(self.projection(x))

    def _through(self, x: Tensor) -> Tensor:
        for layer in self.layers or ():
            x = torch.relu(layer(x))
        return x


class RandomGates(nn.Module):
    """On by chance, whatever is heard. In a stream each frame's draws depend on its number alone, so that any chunking
    gives the same; training draws anew.

    State: frames so far.
    """

    salt: Tensor
    rates: Tensor
    reads: Reads = "frames"
    per_head = True

    def __init__(self, scope: Scope, *, query: float, key: float, ffn: float) -> None:
        super().__init__()
        self.scope, self.n_blocks = scope, scope.n_blocks
        rates = (
            [query] * (scope.n_blocks * scope.heads) + [key] * (scope.n_blocks * scope.heads) + [ffn] * scope.n_blocks
        )
        self.register_buffer("rates", torch.tensor(rates), persistent=False)
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
