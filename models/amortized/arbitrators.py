"""Who decides what is computed: arbitrators that learn it from what they hear (https://arxiv.org/abs/2207.02393,
section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from earmark.models._blocks.gates import Estimator, Gates, gumbel_sigmoid, sampled, straight_through
from earmark.models._blocks.recurrent import Dense, StreamingLSTM
from earmark.models._blocks.transformer_encoder import GATES

Reads: TypeAlias = Literal["frames", "below"]
Network: TypeAlias = Literal["ff", "lstm"]
FIRST_BIAS = 2.0
"""Of every gate: at first nearly all are on."""


MANY = 24
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
    """What is decided: gates of ``n_blocks`` blocks of ``heads`` heads, of which only some kinds may be off.

    ``never`` holds (kind, block) pairs that are off whatever is decided.
    """

    n_blocks: int
    heads: int
    query: bool = True
    key: bool = True
    ffn: bool = True
    never: frozenset[tuple[str, int]] = frozenset()

    @property
    def width(self) -> int:
        """Decisions a frame."""
        return self.n_blocks * (self.heads * (self.query + self.key) + self.ffn)

    def gates(self, decisions: Tensor) -> Gates:
        """(..., width) decisions as gates; what may not be off is on, what is never on is off."""
        before, n = decisions.shape[:-1], self.n_blocks
        sizes = [n * self.heads * self.query, n * self.heads * self.key, n * self.ffn]
        query, key, ffn = torch.split(decisions, sizes, dim=-1)
        per_head, per_block = (*before, n, self.heads), (*before, n)
        gates = Gates(
            query.reshape(per_head) if self.query else decisions.new_ones(per_head),
            key.reshape(per_head) if self.key else decisions.new_ones(per_head),
            ffn.reshape(per_block) if self.ffn else decisions.new_ones(per_block),
        )
        return self._pruned(gates) if self.never else gates

    def part(self, first: int, n_blocks: int) -> Scope:
        """That of ``n_blocks`` blocks from ``first`` on, for somebody who decides for these alone."""
        inside = {(kind, block - first) for kind, block in self.never if first <= block < first + n_blocks}
        return replace(self, n_blocks=n_blocks, never=frozenset(inside))

    def _pruned(self, gates: Gates) -> Gates:
        query, key, ffn = ([(kind, i) not in self.never for i in range(self.n_blocks)] for kind in GATES)
        mask = gates.ffn.new_tensor
        return Gates(gates.query * mask(query)[:, None], gates.key * mask(key)[:, None], gates.ffn * mask(ffn))


@dataclass(frozen=True, slots=True)
class ArbitratorSizes:
    """``projection``: width that frames are brought to first, 0 for none; ``hidden`` units in each of two layers."""

    projection: int
    hidden: int


def decide(logits: Tensor, phase: Phase | None, *, cut: float) -> Tensor:
    """Decisions of one shape with ``logits``; ``phase`` is None outside of training."""
    if phase is not None and phase.estimator == "gumbel":
        return gumbel_sigmoid(logits, temperature=phase.temperature, contribution=phase.contribution)
    if phase is not None and phase.estimator == "sampled":
        return sampled(logits, contribution=1.0 - phase.contribution)
    return straight_through(logits, cut=cut)


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
        return self.scope.gates(decide(self.logits(x), phase, cut=0.0 if self.training else self.cut))

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
