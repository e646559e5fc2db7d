"""Predictor, joint and loss of a transducer (Graves 2012, https://arxiv.org/abs/1211.3711). Label 0 is the blank.

The loss is torchaudio's ``rnnt_loss`` on two log-probabilities a node, blank and the next label, since it reads no
others: the log-softmax over the labels runs outside it, with all threads. A benchmark has both side by side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from earmark.models._blocks.pieces import BLANK
from earmark.models._blocks.recurrent import Dense, LstmState, StreamingLSTM


class Predictor(nn.Module):
    """What was said so far -> (J,). State: that of its LSTM, see :class:`StreamingLSTM`."""

    def __init__(
        self,
        n_labels: int,
        embedding: int,
        hidden: int,
        joint: int,
        *,
        layers: int = 1,
        dropout: float = 0.0,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_labels, embedding)
        self.dropout = nn.Dropout(dropout)
        self.lstm = StreamingLSTM(embedding, hidden, layers, dropout=dropout, norm=norm)
        self.output = Dense(hidden, joint)

    def forward(self, targets: Tensor) -> Tensor:
        """(B, U) labels -> (B, U + 1, J); row u is what follows the first u labels, row 0 follows the start."""
        labels = pad(targets.long(), (1, 0), value=BLANK)
        predicted: Tensor = self.output(self.lstm(self.dropout(self.embedding(labels))))
        return predicted

    def start(self, batch: int) -> tuple[Tensor, LstmState]:
        """Row 0 (B, J), and the state after it."""
        begin = torch.full((batch,), BLANK, dtype=torch.long, device=self.output.weight.device)
        return self.step(begin, self.lstm.start(batch))

    def step(self, labels: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """(B,) labels just said -> (B, J) and the state after them."""
        x, state = self.lstm.step(self.embedding(labels)[:, None], state)
        return self.output(x[:, 0]), state

    def macs(self, n_steps: int) -> int:
        """Multiply-accumulates of ``n_steps`` labels; an embedding is a look-up."""
        return self.lstm.macs(n_steps) + self.output.macs(n_steps)


class Joint(nn.Module):
    """Scores of every label from what was heard and what was said: a linear layer on tanh of their sum.

    With ``hidden`` units a linear layer stands before the tanh.
    """

    def __init__(self, joint: int, n_labels: int, *, hidden: int = 0) -> None:
        super().__init__()
        self.hidden = Dense(joint, hidden) if hidden else None
        self.output = Dense(hidden or joint, n_labels)
        with torch.no_grad():  # at first half of all probability is the blank's, about what training wants first
            self.output.bias[BLANK] += math.log(n_labels)

    def forward(self, encoded: Tensor, predicted: Tensor) -> Tensor:
        """(B, T, J), (B, U + 1, J) -> (B, T, U + 1, V)."""
        return self.step(encoded[:, :, None], predicted[:, None])

    def step(self, encoded: Tensor, predicted: Tensor) -> Tensor:
        """(..., J), (..., J) -> (..., V)."""
        summed = encoded + predicted
        logits: Tensor = self.output(torch.tanh(summed if self.hidden is None else self.hidden(summed)))
        return logits

    def macs(self, n_steps: int) -> int:
        return self.output.macs(n_steps) + (0 if self.hidden is None else self.hidden.macs(n_steps))


def transducer_loss(
    logits: Tensor,
    targets: Tensor,
    frame_lengths: Tensor,
    target_lengths: Tensor,
    *,
    fastemit: float = 0.0,
    penalties: Tensor | None = None,
) -> Tensor:
    """Minus log probability of the targets, summed over all alignments: (B,).

    Args:
        logits: (B, T, U + 1, V), any scores; T and U may be longer than the longest row.
        targets: (B, U) labels from 1 to V - 1, padded with anything.
        frame_lengths: (B,) valid frames, at least one.
        target_lengths: (B,) valid labels.
        fastemit: lambda of FastEmit (https://arxiv.org/abs/2010.11148, section 3): the gradients that reach the
            labels' log-probabilities are 1 + lambda times as large; the value of the loss stays that of lambda 0.
        penalties: (B, T, U + 1), taken off the log-probability of the next label at each node; None for none.
    """
    from torchaudio.functional import rnnt_loss

    t, u = int(frame_lengths.max()), int(target_lengths.max())  # the kernel refuses anything longer
    log_probs = logits[:, :t, : u + 1].log_softmax(dim=-1)
    labels = log_probs.gather(3, _following(targets[:, :u], target_lengths)[:, None, :, None].expand(-1, t, -1, -1))
    if fastemit > 0:
        fixed = labels.detach()
        labels = fixed + (labels - fixed) * (1.0 + fastemit)
    if penalties is not None:
        labels = labels - penalties[:, :t, : u + 1, None]
    losses: Tensor = rnnt_loss(
        torch.cat([log_probs[..., BLANK : BLANK + 1], labels], dim=-1),
        torch.ones(labels.shape[0], u, dtype=torch.int32, device=logits.device),
        frame_lengths.int(),
        target_lengths.int(),
        blank=0,
        reduction="none",
        fused_log_softmax=False,
    )
    return losses


def ctc_loss(logits: Tensor, targets: Tensor, frame_lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """Minus log probability of the targets under the encoder's own labels (Graves et al. 2006): (B,).

    Args:
        logits: (B, T, V), any scores.
        targets: (B, U) labels from 1 to V - 1, padded with anything.
        frame_lengths: (B,) valid frames; a row with fewer than its labels need has loss 0.
        target_lengths: (B,) valid labels.
    """
    log_probs = logits.log_softmax(dim=-1).transpose(0, 1)
    return torch.nn.functional.ctc_loss(
        log_probs, targets.long(), frame_lengths, target_lengths, blank=BLANK, reduction="none", zero_infinity=True
    )


def _following(targets: Tensor, lengths: Tensor) -> Tensor:
    """(B, U + 1) label after each place; blank, which nothing reads there, behind the last."""
    valid = torch.arange(targets.shape[1], device=targets.device) < lengths[:, None]
    return pad(targets.long().where(valid, BLANK), (0, 1), value=BLANK)
