"""What an embedder learns from: which speaker it was, and which of a batch's recordings belong together.

Angular prototypical loss (https://arxiv.org/abs/2003.11982, section 2.2), and softmax over the training speakers, plain
or with an additive angular margin (https://arxiv.org/abs/1801.07698, equation 3). Weights of pairs are those of
adversarial reweighting; README.md says where they enter. n recordings, K speakers with two or more.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize, one_hot

UNKNOWN = -1
"""The class of a speaker whom the softmax doesn't know."""
LEAST_SCALE = 1e-6


class AngularPrototypes(nn.Module):
    """Each recording is to be nearest to its speaker's other recordings; scale w = 10 and offset b = -5 are learned.

    The original takes one recording of each speaker as the query. Here each takes its turn, so that all recordings of
    a batch are treated alike, and a batch of two each gives two losses of the original's kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(10.0)), nn.Parameter(torch.tensor(-5.0))

    def forward(self, embeddings: Tensor, speakers: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Weighted and plain loss of each recording, (n,) and (n,); zero for the only one of a speaker.

        With logits S and weights W of a recording's pairs with prototypes (the mean over the recordings in one), k its
        own: W_k log(1 + sum over j other than k of (W_j / W_k) exp(S_j - S_k)), which for equal weights is W_k times
        the cross entropy.
        """
        unit = normalize(embeddings, dim=1)
        members = one_hot(torch.unique(speakers, return_inverse=True)[1]).T.to(unit.dtype)  # (K, n)
        turn = (members.cumsum(dim=1) * members).sum(dim=0) - 1  # (n,): first, second ... recording of the speaker
        plain, weighted = unit.new_zeros(len(unit)), unit.new_zeros(len(unit))
        several = members.sum(dim=1) > 1
        for query in range(int(turn.max()) + 1 if bool(several.any()) else 0):
            places, own, logits, logs = self._queries(unit, members, turn == query, weights)
            losses = cross_entropy(logits, own, reduction="none")
            plain = plain.index_put((places,), losses.detach())
            if logs is not None:
                mine = logs.gather(1, own[:, None])
                losses = mine[:, 0].exp() * cross_entropy(logits + logs - mine, own, reduction="none")
            weighted = weighted.index_put((places,), losses)
        return weighted, plain

    def _queries(
        self, unit: Tensor, members: Tensor, asked: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Places (q,), own prototypes (q,), logits (q, K) and logarithms of weights (q, K) of the queries."""
        support = members * ~asked
        there = support.sum(dim=1) > 0
        support = normalize(support[there], p=1, dim=1)  # (K, n): means
        places = (asked & (members[there].sum(dim=0) > 0)).nonzero()[:, 0]
        own = members[there][:, places].argmax(dim=0)
        cosines = unit[places] @ normalize(support @ unit, dim=1).T
        logits = self.w.clamp(min=LEAST_SCALE) * cosines + self.b
        return places, own, logits, None if weights is None else (weights[places] @ support.T).log()


class SpeakerSoftmax(nn.Module):
    """Cross entropy over the training speakers. A margin below 0 is a plain linear layer; from 0 on, logits are
    ``scale`` times the cosines, that of the own speaker at an angle larger by ``margin``.
    """

    def __init__(self, dim: int, n_speakers: int, *, margin: float, scale: float = 30.0) -> None:
        super().__init__()
        self.margin, self.scale = margin, scale
        self.weight = nn.Parameter(torch.empty(n_speakers, dim))
        self.bias = nn.Parameter(torch.zeros(n_speakers)) if margin < 0 else None
        nn.init.xavier_normal_(self.weight)

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
        """Loss of each recording (n,), zero for speakers that are ``UNKNOWN``."""
        if self.bias is not None:
            return cross_entropy(
                linear(embeddings, self.weight, self.bias), speakers, reduction="none", ignore_index=UNKNOWN
            )
        cosines = linear(normalize(embeddings, dim=1), normalize(self.weight, dim=1))
        own = speakers.clamp(min=0)[:, None]
        sharp = self._at_a_larger_angle(cosines.gather(1, own))
        logits = self.scale * cosines.scatter(1, own, sharp)
        return cross_entropy(logits, speakers, reduction="none", ignore_index=UNKNOWN)

    def _at_a_larger_angle(self, cosine: Tensor) -> Tensor:
        """cos(angle + margin); beyond pi - margin, where that would rise again, a straight line that falls on."""
        sine = (1.0 - cosine.square()).clamp(min=1e-9).sqrt()
        turned = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        straight = cosine - self.margin * math.sin(self.margin)
        return torch.where(cosine > -math.cos(self.margin), turned, straight)
