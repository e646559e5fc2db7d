"""Beam search for a transducer, frame by frame, with the alignments of one text added up (Graves 2012, section 2.5).

Every frame ends with blank. Before that a hypothesis may say up to ``max_symbols`` labels; after each label the
``width`` best are kept, and so they are at the end of the frame. With a width that drops nothing the scores are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from earmark.models._blocks.pieces import BLANK
from earmark.models._blocks.recurrent import LstmState, join, pick
from earmark.models._blocks.search import Emitted
from earmark.models._blocks.transducer import Joint, Predictor

Text: TypeAlias = tuple[int, ...]
Read: TypeAlias = tuple[Tensor, LstmState]
"""The predictor's output (1, J) and state after a text."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What may have been said: labels, their frames in the likeliest alignment that was met, and the log probability of
    all alignments so far; with what the predictor makes of it."""

    text: Text
    frames: tuple[int, ...]
    score: float
    read: Read

    @property
    def emitted(self) -> list[Emitted]:
        return list(zip(self.frames, self.text, strict=True))


class BeamSearch:
    """Of one stream: the hypotheses, best first, and the steps executed of joint and predictor.

    ``n_frames``, ``n_joint`` and ``n_predictor`` count from the start of the stream.
    """

    def __init__(self, predictor: Predictor, joint: Joint, width: int, max_symbols: int) -> None:
        self.predictor, self.joint, self.width, self.max_symbols = predictor, joint, width, max_symbols
        self.hypotheses = [Hypothesis((), (), 0.0, predictor.start(1))]
        self.n_frames, self.n_joint, self.n_predictor = 0, 0, 1
        self._known: dict[Text, Read] = {}

    @property
    def best(self) -> list[Emitted]:
        """The best hypothesis so far; it may yet change."""
        return self.hypotheses[0].emitted

    def advance(self, encoded: Tensor) -> None:
        """Take (k, J) new frames."""
        for frame in encoded:
            self._frame(frame)
            self.n_frames += 1

    def _frame(self, frame: Tensor) -> None:
        ended: dict[Text, Hypothesis] = {}
        known: dict[Text, Read] = {}
        going = self.hypotheses
        for n_said in range(self.max_symbols + 1):
            scores = self.joint.step(frame, torch.cat([h.read[0] for h in going])).log_softmax(dim=1)
            self.n_joint += len(going)
            for hypothesis, blank in zip(going, scores[:, BLANK].tolist(), strict=True):
                _add(ended, replace(hypothesis, score=hypothesis.score + blank))
            going = self._longer(going, scores, self._bar(ended)) if n_said < self.max_symbols else []
            known.update((h.text, h.read) for h in going)
            if not going:
                break
        self._known = known
        self.hypotheses = sorted(ended.values(), key=_rank)[: self.width]

    def _bar(self, ended: dict[Text, Hypothesis]) -> float:
        """What a hypothesis must beat to be among the best in the end: scores only fall."""
        if len(ended) < self.width:
            return -math.inf
        return sorted((h.score for h in ended.values()), reverse=True)[self.width - 1]

    def _longer(self, going: list[Hypothesis], scores: Tensor, bar: float) -> list[Hypothesis]:
        """The best hypotheses with one label more, the predictor having read it."""
        before = torch.tensor([[h.score] for h in going], device=scores.device, dtype=torch.float64)
        totals = scores[:, BLANK + 1 :] + before  # (n, V - 1)
        best, places = totals.flatten().topk(min(self.width, totals.numel()))
        kept = [
            (score, going[place // totals.shape[1]], place % totals.shape[1] + BLANK + 1)
            for score, place in zip(best.tolist(), places.tolist(), strict=True)
            if score > bar
        ]
        reads = self._read([(parent, label) for _, parent, label in kept])
        return [
            Hypothesis((*parent.text, label), (*parent.frames, self.n_frames), score, read)
            for (score, parent, label), read in zip(kept, reads, strict=True)
        ]

    def _read(self, said: list[tuple[Hypothesis, int]]) -> list[Read]:
        """What the predictor makes of each hypothesis and a label: at the frame before it has often read the same."""
        texts = [(*parent.text, label) for parent, label in said]
        new = [i for i, text in enumerate(texts) if text not in self._known]
        if new:
            labels = torch.tensor([said[i][1] for i in new], device=said[0][0].read[0].device)
            predicted, state = self.predictor.step(labels, join([said[i][0].read[1] for i in new]))
            self.n_predictor += len(new)
            rows = torch.arange(len(new), device=labels.device)[:, None]
            self._known |= {texts[i]: (predicted[row], pick(state, row)) for i, row in zip(new, rows, strict=True)}
        return [self._known[text] for text in texts]


def _add(found: dict[Text, Hypothesis], hypothesis: Hypothesis) -> None:
    """Alignments of one text add up; the frames are those of the likelier part."""
    known = found.get(hypothesis.text)
    if known is None:
        found[hypothesis.text] = hypothesis
        return
    likelier = max(known, hypothesis, key=lambda h: h.score)
    found[hypothesis.text] = replace(likelier, score=_log_add(known.score, hypothesis.score))


def _log_add(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))


def _rank(hypothesis: Hypothesis) -> tuple[float, Text]:
    return -hypothesis.score, hypothesis.text
