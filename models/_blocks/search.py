"""Greedy search for a transducer: the best label at every point, for one stream as it comes, or for a batch at once.

A frame may say up to ``max_symbols`` labels before the next one is looked at. Both forms say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from earmark.models._blocks.pieces import BLANK
from earmark.models._blocks.recurrent import LstmState, pick, put
from earmark.models._blocks.transducer import Joint, Predictor

AHEAD = 8
"""Frames scored in one product: more would mostly be scored again, for whatever is said changes what follows."""
Emitted = tuple[int, int]
"""A frame and the label it said."""


@dataclass(frozen=True, slots=True)
class GreedyState:
    """Of one stream: the predictor's output (1, J) after the last label, and its state."""

    predicted: Tensor
    predictor: LstmState


def greedy_start(predictor: Predictor) -> GreedyState:
    """Before the first frame; one step of the predictor."""
    return GreedyState(*predictor.start(1))


def greedy(
    predictor: Predictor, joint: Joint, encoded: Tensor, state: GreedyState, *, max_symbols: int
) -> tuple[list[Emitted], GreedyState, int, int]:
    """The labels that (k, J) new frames say.

    While nothing is said, several frames are scored in one product.

    Returns:
        (frame from 0, label) pairs, the state after them, and the steps executed: of the joint, of the predictor.
    """
    found: list[Emitted] = []
    t = n_here = n_joint = n_predictor = 0
    while t < len(encoded):
        best = joint.step(encoded[t : t + AHEAD], state.predicted).argmax(dim=1)
        labels = best.tolist()
        n_joint += len(labels)
        silent = next((i for i, label in enumerate(labels) if label != BLANK), len(labels))
        t, n_here = t + silent, (0 if silent else n_here)
        if silent == len(labels):
            continue
        found.append((t, labels[silent]))
        state = GreedyState(*predictor.step(best[silent : silent + 1], state.predictor))
        n_predictor += 1
        n_here += 1
        if n_here == max_symbols:
            t, n_here = t + 1, 0
    return found, state, n_joint, n_predictor


def in_order(channels: Sequence[Sequence[Emitted]]) -> list[tuple[int, Emitted]]:
    """What several channels said, each with its channel, frame by frame: so no chunk changes the order."""
    said = [(channel, emitted) for channel, row in enumerate(channels) for emitted in row]
    return sorted(said, key=lambda entry: entry[1][0])


def batched_greedy(
    predictor: Predictor, joint: Joint, encoded: Tensor, lengths: Tensor, *, max_symbols: int
) -> list[list[Emitted]]:
    """What :func:`greedy` finds in each of (B, T, J) recordings of (B,) frames; all advance together."""
    predicted, state = predictor.start(len(encoded))
    found: list[list[Emitted]] = [[] for _ in range(len(encoded))]
    for t in range(encoded.shape[1]):
        rows = (t < lengths).nonzero()[:, 0]
        for _ in range(max_symbols):
            best = joint.step(encoded[rows, t], predicted[rows]).argmax(dim=1)
            speaking = best != BLANK
            rows, best = rows[speaking], best[speaking]
            if len(rows) == 0:
                break
            for row, label in zip(rows.tolist(), best.tolist(), strict=True):
                found[row].append((t, label))
            output, part = predictor.step(best, pick(state, rows))
            predicted, state = predicted.index_copy(0, rows, output), put(state, rows, part)
    return found


def log_probability(predictor: Predictor, joint: Joint, encoded: Tensor, emitted: list[Emitted]) -> float:
    """Log probability of one alignment of a recording (T, J): of its labels and of the blanks between them."""
    predicted, state = predictor.start(1)
    total, place = 0.0, 0
    for t in range(len(encoded)):
        while place < len(emitted) and emitted[place][0] == t:
            label = emitted[place][1]
            total += float(joint.step(encoded[t], predicted[0]).log_softmax(dim=0)[label])
            predicted, state = predictor.step(torch.tensor([label], device=encoded.device), state)
            place += 1
        total += float(joint.step(encoded[t], predicted[0]).log_softmax(dim=0)[BLANK])
    return total
