"""From a conversation to what each channel has to say: its turns in order, with marks around them.

A mark is a word of the text, and of the timed words where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from earmark.bench.api import Example, InputError, Turn, Word

END = "<eot>"


@dataclass(frozen=True, slots=True)
class Marking:
    """Which marks stand where; an empty name stands for none."""

    start: str = ""
    """Before each turn."""
    end: str = ""
    """After each turn."""
    between: str = ""
    """Before each turn of a channel but the first."""
    edges: bool = True
    """Whether the first turn of a recording has its start marked, and the one that ends last its end."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.start, self.end, self.between) if name)


def on_channel(example: Example, channel: int, marking: Marking) -> Example:
    """The turns of one channel in the order of their starts, their text with marks."""
    turns = sorted((turn for turn in example.turns if (turn.channel or 0) == channel), key=lambda turn: turn.start_s)
    first = min(example.turns, key=lambda turn: turn.start_s, default=None)
    last = max(example.turns, key=lambda turn: turn.end_s, default=None)
    marked = []
    for place, turn in enumerate(turns):
        start = marking.start if marking.edges or turn is not first else ""
        end = marking.end if marking.edges or turn is not last else ""
        marked.append(_marked(turn, start or (marking.between if place else ""), end))
    return replace(example, turns=tuple(marked))


def check_channels(examples: Sequence[Example], n_channels: int, *, plugin: str) -> None:
    """Nothing, or InputError where a turn is on a channel that the model does not have."""
    for example in examples:
        beyond = [turn.channel for turn in example.turns if (turn.channel or 0) not in range(n_channels)]
        if beyond:
            what = f"{example.utterance_id} has a turn on channel {beyond[0]}"
            raise InputError(what, where=plugin, fix=f"give channels from 0 to {n_channels - 1}")


def silent_frames(row: Example, *, n_frames: int, frame_s: float, stretch: float) -> Tensor:
    """(n_frames,) bools, false in every frame that a turn of the row touches."""
    silent = torch.ones(n_frames, dtype=torch.bool)
    for turn in row.turns:
        silent[int(turn.start_s * stretch / frame_s) : int(turn.end_s * stretch / frame_s) + 1] = False
    return silent


def due_frames(row: Example, labels: Sequence[int], mark: int, *, frame_s: float, stretch: float) -> Tensor:
    """(U,) frames in which turns of the row end, where ``labels`` (U,) mark that; infinite of other labels."""
    due = torch.full((len(labels),), torch.inf)
    ends = [turn.end_s for turn in row.turns if turn.text.split()[-1:] == [END]]
    due[torch.tensor(labels) == mark] = torch.tensor([float(int(s * stretch / frame_s)) for s in ends])
    return due


def _marked(turn: Turn, before: str, after: str) -> Turn:
    text = " ".join(filter(None, (before, turn.text, after)))
    words = list(turn.words)
    if words and before:
        words.insert(0, Word(before, turn.start_s, turn.start_s))
    if words and after:
        words.append(Word(after, turn.end_s, turn.end_s))
    return replace(turn, text=text, words=tuple(words))
