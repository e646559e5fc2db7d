"""Which label each frame should say, where it is known when the words were spoken.

A transducer learns its alignment by itself, and long says what the predictor guesses before its encoder hears anything.
An encoder that is shown when each word ended begins at once: pre-training with alignments, Hu et al. 2020,
https://arxiv.org/abs/2005.00572. Here the joint's own layer is what names the labels, so it has begun as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from earmark.bench.api import Example, Word
from earmark.models._blocks.pieces import Pieces

IGNORED = -100
"""Of frames about which nothing is known: PyTorch's cross entropy leaves them out."""
DELAY_S = 0.06
"""From the end of a piece to the frame that should say it: what ends a sound is heard a little later."""


def timed_labels(example: Example, pieces: Pieces) -> list[tuple[float, int]]:
    """Each label with the second at which it ends, in order; none where word times are missing or don't fit.

    The pieces of a word share its time equally.
    """
    turns = [(turn.text.split(), turn.words) for turn in example.turns]
    timed = all(" ".join(word.text for word in words).split() == said for said, words in turns)
    return [found for _, words in turns for found in ends_of(words, pieces)] if timed else []


def labels_by_frame(timed: Sequence[tuple[float, int]], *, n_frames: int, frame_s: float, stretch: float) -> Tensor:
    """(n_frames,) labels, ``IGNORED`` but where a label ends. Where two would meet, the later one takes the next frame.

    Args:
        timed: labels with the second at which each ends, in order.
        frame_s: from one frame to the next.
        stretch: how many times as long as the recording it is now, played at another speed.
    """
    labels = torch.full((n_frames,), IGNORED)
    free = 0
    for ends_s, label in timed:
        frame = max(free, int((ends_s * stretch + DELAY_S) / frame_s))
        if frame >= n_frames:
            break
        labels[frame], free = label, frame + 1
    return labels


def flat_labels(example: Example, pieces: Pieces, *, n_frames: int) -> Tensor:
    """(n_frames,) labels of a recording of one word whose times nobody knows, as if it filled the recording.

    Its pieces share the frames equally, and each is said throughout the second half of its share. A flat start, as
    hidden Markov models are given one: true enough to begin with, and for one word only. Of any other recording all
    labels are ``IGNORED``.
    """
    labels = torch.full((n_frames,), IGNORED)
    said = [word for turn in example.turns for word in turn.text.split()]
    if len(said) != 1 or any(turn.words for turn in example.turns):
        return labels
    word = torch.tensor(pieces.encode(said[0]))
    place = (torch.arange(n_frames) + 0.5) * len(word) / n_frames
    second_half = place % 1.0 > 0.5
    labels[second_half] = word[place[second_half].long()]
    return labels


def alignment_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of the labelled frames, 0 if there are none: (B, T, V) scores and (B, T) labels -> ()."""
    flat = labels[:, : logits.shape[1]].reshape(-1)
    total = torch.nn.functional.cross_entropy(
        logits.reshape(len(flat), -1), flat, ignore_index=IGNORED, reduction="sum"
    )
    return total / (flat != IGNORED).sum().clamp(min=1)


def ends_of(words: Sequence[Word], pieces: Pieces) -> list[tuple[float, int]]:
    """The labels of these words, each with the second at which it ends, in order."""
    found = []
    for word in words:
        labels = pieces.encode(word.text)
        share = (word.end_s - word.start_s) / max(1, len(labels))
        found += [(word.start_s + (i + 1) * share, label) for i, label in enumerate(labels)]
    return found
