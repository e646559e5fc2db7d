"""A causal Transformer encoder whose parts can be left out, frame by frame: that of the Transformer-Transducer
(Zhang et al. 2020, https://arxiv.org/abs/2002.02562) and of its compute-cost amortized form
(https://arxiv.org/abs/2207.02393).

In training everything is computed and masked. In use, without gradients, nothing is computed that is off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from earmark.models._blocks.attention import Sight
from earmark.models._blocks.conv import CausalConv1d
from earmark.models._blocks.gates import Gates, all_frames, frames_on
from earmark.models._blocks.key_cache import KeyCache
from earmark.models._blocks.recurrent import Dense
from earmark.models._blocks.transformer import Block, BlockOn, TransformerSizes

GATES = ("query", "key", "ffn")
State: TypeAlias = "list[StreamState]"


class Decider(Protocol):
    """Decides for the next ``n_blocks`` blocks, from the frames or from what the blocks before it made of them.

    ``per_head`` says whether heads of a block may differ.
    """

    reads: str
    """``frames``, or ``below`` for the output of the blocks before."""
    n_blocks: int
    per_head: bool

    def __call__(self, x: Tensor, phase: Any = None) -> Gates:
        """(B, T, D) -> gates (B, T, ...) as numbers, which carry gradients; ``phase`` is where training stands."""

    def start(self) -> Any: ...
    def step(self, x: Tensor, state: Any) -> tuple[Gates, Any]:
        """(1, k, D) and the state before -> gates (k, ...) as bools, and the state after."""

    def macs(self, n_frames: int) -> int: ...


@dataclass(slots=True)
class StreamState:
    """Of one recording: frames so far, what the stem, the deciders and each group of heads keep, and what was done.

    ``work`` and ``dense`` are multiply-accumulates by part, executed and with everything on and nothing that decides;
    ``on`` counts frames by gate and block, heads added up; ``shares`` (k, 3) are those of the k frames of the last
    step that were on, over the blocks that somebody decides for, by gate.
    """

    stem: Any
    deciders: list[Any]
    caches: list[list[KeyCache]]
    n_frames: int = 0
    work: Counter[str] = field(default_factory=Counter)
    dense: Counter[str] = field(default_factory=Counter)
    on: Counter[tuple[str, int]] = field(default_factory=Counter)
    shares: Tensor | None = None


class TransformerEncoder(nn.Module):
    """Stacked frames (B, T, D) -> (B, T, J).

    State: one :class:`StreamState` for each recording; a step changes it in place.

    Args:
        context: frames that a frame may look back over, itself included.
        dense_context: the same for the dense form that savings are measured by.
        deciders: in the order of the blocks that they decide for; none leaves everything on.
    """

    def __init__(
        self,
        width: int,
        sizes: TransformerSizes,
        joint: int,
        *,
        dropout: float,
        context: int,
        dense_context: int | None = None,
        deciders: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.sizes, self.context, self.dense_context = sizes, context, dense_context or context
        self.stem: CausalConv1d | Dense = (
            CausalConv1d(width, sizes.width, sizes.stem) if sizes.stem else Dense(width, sizes.width)
        )
        self.norm_stem = nn.LayerNorm(sizes.width) if sizes.stem else None
        self.deciders = nn.ModuleList(deciders)
        self.n_decided = sum(decider.n_blocks for decider in self._deciders())
        per_head = any(decider.per_head for decider in self._deciders())
        self.each = tuple(Block(sizes, dropout, per_head=per_head) for _ in range(sizes.blocks))
        self.blocks = nn.ModuleList(self.each)
        self.norm = nn.LayerNorm(sizes.width)
        self.output = Dense(sizes.width, joint)

    # --- whole recordings -----------------------------------------------------------------------------------------

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) and (B,) valid frames -> (B, T, J).

        Where nothing can be off, or gradients are wanted, all rows at once; else row by row what is on.
        """
        if not self.deciders or self.training or torch.is_grad_enabled():
            return self.masked(x, lengths)[0]
        rows = [self.step(row[None, :n], self.start(1))[0][0] for row, n in zip(x, lengths.tolist(), strict=True)]
        return nn.functional.pad(pad_sequence(rows, batch_first=True), (0, 0, 0, x.shape[1] - int(lengths.max())))

    def masked(
        self, x: Tensor, lengths: Tensor, phase: Any = None, *, deciders: Sequence[Decider] | None = None
    ) -> tuple[Tensor, list[Gates]]:
        """(B, T, J), and the gates of all blocks, decider by decider.

        ``deciders`` stand in for the encoder's own; none at all leave everything on.
        """
        frames, sight = x, self._sight(0, x.shape[1])
        x = self._stemmed(self.stem(x, lengths) if isinstance(self.stem, CausalConv1d) else self.stem(x))
        blocks, found = iter(self.each), []
        for decider in self._deciders() if deciders is None else deciders:
            gates = decider(frames if decider.reads == "frames" else x, phase)
            found.append(gates)
            for i in range(decider.n_blocks):
                x = next(blocks)(x, sight, gates.block(i))
        for block in blocks:
            x = block(x, sight, None)
        encoded: Tensor = self.output(self.norm(x))
        return encoded, found

    # --- streams --------------------------------------------------------------------------------------------------

    def start(self, batch: int) -> State:
        return [
            StreamState(
                self.stem.start(1) if isinstance(self.stem, CausalConv1d) else None,
                [decider.start() for decider in self._deciders()],
                [block.attention.start() for block in self.each],
            )
            for _ in range(batch)
        ]

    @torch.no_grad()
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, k, D) and the state, which changes in place -> (B, k, J) and that state. No gradients."""
        return torch.stack([self._step(row[None], own) for row, own in zip(x, state, strict=True)]), state

    def _step(self, x: Tensor, state: StreamState) -> Tensor:
        """(1, k, D) -> (k, J)."""
        frames, k = x, x.shape[1]
        sight = self._sight(state.n_frames, k)
        if isinstance(self.stem, CausalConv1d):
            x, state.stem = self.stem.step(x, state.stem)
        else:
            x = self.stem(x)
        x = self._stemmed(x)[0]  # (k, D)
        place, shares = 0, None
        for number, decider in enumerate(self._deciders()):
            source = frames if decider.reads == "frames" else x[None]
            gates, state.deciders[number] = decider.step(source, state.deciders[number])
            state.work["arbitrator"] += decider.macs(k)
            decided = gates.shares() * (gates.n_blocks / self.n_decided)
            shares = decided if shares is None else shares + decided
            for on in self._on(gates, state.n_frames):
                x = self._block(place, x, sight, on, state)
                place += 1
        if place < self.sizes.blocks:
            heads = all_frames(k, self._n_groups, state.n_frames, x.device)
            everything = BlockOn(heads, heads, all_frames(k, 1, state.n_frames, x.device))
            for rest in range(place, self.sizes.blocks):
                x = self._block(rest, x, sight, everything, state)
        state.shares = shares
        self._account(k, state)
        encoded: Tensor = self.output(self.norm(x))
        return encoded

    def _block(self, place: int, x: Tensor, sight: Sight, on: BlockOn, state: StreamState) -> Tensor:
        heads = self.sizes.heads // self._n_groups
        state.on["query", place] += heads * len(on.query)
        state.on["key", place] += heads * len(on.key)
        state.on["ffn", place] += len(on.ffn)
        return self.each[place].step(x, sight, on, state.caches[place], state.work)

    def _on(self, gates: Gates, first: int) -> list[BlockOn]:
        """(k, L, ...) bools as lists of frames; where all heads share their gates, those of the first."""
        n = self._n_groups
        queries, keys = frames_on(gates.query[:, :, :n], first), frames_on(gates.key[:, :, :n], first)
        ffn = frames_on(gates.ffn[:, :, None], first)
        return [BlockOn(*block) for block in zip(queries, keys, ffn, strict=True)]

    # --- what it takes --------------------------------------------------------------------------------------------

    def macs_by_part(self, n_frames: int) -> dict[str, int]:
        """With everything on, frame by frame from the start of a recording, and nothing that decides."""
        state = self.start(1)[0]
        for _ in range(n_frames):
            self._account(1, state)
        return dict(state.dense)

    def _account(self, k: int, state: StreamState) -> None:
        """Another k frames in one step: what is never off, and what everything would have taken."""
        sizes, state.n_frames = self.sizes, state.n_frames + k
        always = {"stem": self.stem.macs(k), "output": self.output.macs(k)}
        first = self.each[0]
        heads = sizes.heads * sizes.blocks
        visible = k + min(state.n_frames - k, self.dense_context - 1)
        state.work.update(always)
        state.dense.update(always)
        state.dense["query"] += heads * k * first.attention.projection_macs
        state.dense["key"] += heads * k * first.attention.projection_macs
        state.dense["attention"] += heads * k * visible * first.attention.cell_macs
        state.dense["ffn"] += sizes.blocks * first.ffn.macs(k)

    def work(self, state: State) -> dict[str, int]:
        """Multiply-accumulates executed so far by part, the deciders among them."""
        parts = ["stem", *(["arbitrator"] if self.deciders else []), "query", "key", "attention", "ffn", "output"]
        return {part: sum(own.work[part] for own in state) for part in parts}

    def dense_work(self, state: State) -> dict[str, int]:
        """What the same chunks would have taken with everything on and nothing that decides, by the same parts."""
        return {part: sum(own.dense[part] for own in state) for part in self.work(state)}

    def probes(self, state: State) -> Mapping[str, float]:
        """Shares of frames (and heads) that were on by gate and block, and keys held now, by block and in all."""
        found: dict[str, float] = {}
        (own,) = state
        for gate in GATES:
            n = own.n_frames * (1 if gate == "ffn" else self.sizes.heads)
            for i in range(self.sizes.blocks):
                found[f"gate_rate_{gate}_{i}"] = own.on[gate, i] / n if n else 1.0
        heads = self.sizes.heads // self._n_groups
        held = [heads * sum(map(len, caches)) for caches in own.caches]
        return {**found, **{f"keys_held_{i}": float(n) for i, n in enumerate(held)}, "keys_held": float(sum(held))}

    # --- its parts ------------------------------------------------------------------------------------------------

    def _stemmed(self, x: Tensor) -> Tensor:
        return x if self.norm_stem is None else torch.relu(self.norm_stem(x))

    def _sight(self, first: int, n: int) -> Sight:
        rotary = self.each[0].attention.rotary
        times = torch.arange(first, first + n, device=rotary.rates.device)
        return Sight(rotary.at(times), times, first, self.context)

    @property
    def _n_groups(self) -> int:
        """Of heads that share their gates."""
        attention = self.each[0].attention
        return attention.heads // attention.group

    def _deciders(self) -> list[Decider]:
        return cast("list[Decider]", list(self.deciders))
