"""How gates are learned: first everything on, then decisions under a cost in multiply-accumulates
(https://arxiv.org/abs/2207.02393, sections 3.3 and 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from earmark.bench.api import Losses, Progress
from earmark.models._blocks.attending import AttendingTransducer
from earmark.models._blocks.gates import BlockGates, Estimator, Gates
from earmark.models._blocks.recognizer import Batch
from earmark.models._blocks.transformer_encoder import Decider, TransformerEncoder
from earmark.models.amortized.arbitrators import Phase

FALLING = 0.5
"""Share of the gated phase in which the target falls."""
FIRST_BETA = 0.2
"""Of the dial at the start of the gated phase, as in the paper (1e-8 rising to 5e-8)."""
LAST_TEMPERATURE = 1e-5


@dataclass(frozen=True, slots=True)
class Schedule:
    """Two phases by share of steps: ``dense`` with everything on, the rest with gates.

    ``target`` is the share of the dense cost above which ``pressure`` weighs on it, ``beta`` the dial: what one whole
    dense cost is worth in units of the transducer loss.
    """

    dense: float
    target: float
    pressure: float
    beta: float
    estimator: Estimator

    def share(self, progress: Progress) -> float:
        """How far the gated phase is, from 0 to 1; 0 or below before it begins."""
        return (progress.step / progress.n_steps - self.dense) / max(1e-9, 1.0 - self.dense)

    def at(self, share: float) -> Phase:
        """``share`` of the gated phase, from 0 to 1."""
        return Phase(
            estimator=self.estimator,
            temperature=1.0 + (LAST_TEMPERATURE - 1.0) * share,
            contribution=share,
            target=1.0 + (self.target - 1.0) * min(1.0, share / FALLING),
            beta=self.beta * (FIRST_BETA + (1.0 - FIRST_BETA) * share),
        )


class AmortizedTransducer(AttendingTransducer):
    """A Transformer-Transducer that learns what to leave out.

    ``dropping`` decides while everything is on, in training only. ``reached`` is how far the gated phase ever was. A
    later training never goes back: neither to everything on nor to a milder target, so that a repair works on the model
    as it is used.
    """

    reached: Tensor

    def __init__(
        self, encoder: TransformerEncoder, *, schedule: Schedule, dropping: nn.Module | None = None, **around: Any
    ) -> None:
        super().__init__(encoder, **around)
        self.schedule, self.dropping = schedule, dropping
        self.register_buffer("reached", torch.zeros((), dtype=torch.float64))

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        """That of every transducer, and ``compute`` once gates are learned: the cost above the target, and the dial."""
        if self.training and self.encoder.deciders:
            self.reached.clamp_(min=self.schedule.share(progress))
        share = float(self.reached)
        frames, lengths = self._masked_frames(batch)
        if share <= 0.0 or not self.encoder.deciders:
            dropping = [cast("Decider", self.dropping)] if self.training and self.dropping else []
            return self._losses(self.encoder.masked(frames, lengths, deciders=dropping)[0], lengths, batch, progress)
        phase = self.schedule.at(share)
        encoded, gates = self.encoder.masked(frames, lengths, phase if self.training else None)
        losses = self._losses(encoded, lengths, batch, progress)
        if not any(found.query.requires_grad or found.ffn.requires_grad or found.key.requires_grad for found in gates):
            return losses
        cost = cost_share(self.encoder, gates, lengths)
        compute = self.schedule.pressure * (cost - phase.target).relu() + phase.beta * cost
        return Losses({**losses.terms, "compute": compute}, losses.items)

    def parts(self) -> Mapping[str, Sequence[str]]:
        """As of every transducer, and ``arbitrator``, where gates are learned, is what decides."""
        parts = {name: list(names) for name, names in super().parts().items()}
        deciding = [name for name in parts["encoder"] if name.startswith("encoder.deciders.")]
        parts["encoder"] = [name for name in parts["encoder"] if name not in deciding]
        return {**parts, "arbitrator": deciding} if deciding else parts

    def may_keep(self, progress: Progress) -> bool:  # noqa: ARG002 - the model knows how far it is
        """Not before the target has come down: until then the best on dev are those that leave nothing out."""
        return not self.encoder.deciders or float(self.reached) >= FALLING


def cost_share(encoder: TransformerEncoder, gates: Sequence[Gates], lengths: Tensor) -> Tensor:
    """Multiply-accumulates that these decisions cost, frame by frame, over those of the dense form: a scalar.

    Args:
        gates: of all blocks, decider by decider, (B, T, ...).
        lengths: (B,) valid frames.
    """
    n = int(lengths.sum())
    valid = (torch.arange(gates[0].ffn.shape[1], device=lengths.device) < lengths[:, None]).to(gates[0].ffn.dtype)
    always = encoder.stem.macs(n) + encoder.output.macs(n)
    deciding = sum(decider.macs(n) for decider in encoder.deciders)  # type: ignore[operator]
    blocks = [found.block(i) for found in gates for i in range(found.n_blocks)]
    spent = torch.stack([_block_macs(encoder, block, valid, encoder.context) for block in blocks]).sum()
    heads = valid[..., None].expand(-1, -1, encoder.sizes.heads)
    everything = _block_macs(encoder, BlockGates(heads, heads, valid), valid, encoder.dense_context)
    return (always + deciding + spent) / (always + len(blocks) * everything)


def _block_macs(encoder: TransformerEncoder, gates: BlockGates, valid: Tensor, context: int) -> Tensor:
    """Of one block; a cell of attention counts where its query and its key are on."""
    attention, ffn = encoder.each[0].attention, encoder.each[0].ffn
    query, key = gates.query * valid[..., None], gates.key * valid[..., None]  # (B, T, H)
    seen = key.cumsum(dim=1)
    seen = seen - torch.nn.functional.pad(seen, (0, 0, context, 0))[:, : seen.shape[1]]
    cells = (query * seen).sum()
    projected = query.sum() + key.sum()
    return attention.projection_macs * projected + attention.cell_macs * cells + ffn.macs(1) * (gates.ffn * valid).sum()
