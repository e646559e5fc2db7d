"""Text to labels and back: byte-pair merges by rank (Sennrich, Haddow and Birch 2016, section 3.2).

A vocabulary is a list of pieces in merge order; a piece that begins a word begins with a space. Label 0 is the blank,
so piece i has label i + 1. SentencePiece's ``bpe`` model segments in the same way: its pieces can be given as they are.
Marks of turns, where a model has them, have the labels behind the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from earmark.bench.api import InputError, Token, TokenKind

BLANK = 0
LETTERS = (*(f" {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), " ", *"abcdefghijklmnopqrstuvwxyz'")
"""What a model that was given no vocabulary spells with."""


MARKS: dict[str, TokenKind] = {
    "<sot>": "start_of_turn",
    "<eot>": "end_of_turn",
    "<cot>": "start_of_turn",
}
"""Marks of turns and what they say: ``<cot>``, a change of turns, is known when the next turn starts."""


class Pieces:
    """A vocabulary of pieces, and the marks of turns that a model has.

    Raises:
        InputError: no pieces, an empty one or one that occurs twice.
    """

    def __init__(self, pieces: Sequence[str], marks: Sequence[str] = ()) -> None:
        self.pieces = tuple(pieces)
        self.marks = tuple(marks)
        self._rank = {piece: rank for rank, piece in enumerate(self.pieces)}
        if not self.pieces or "" in self._rank or len(self._rank) != len(self.pieces):
            raise InputError("the vocabulary has no, empty or repeated pieces", fix="give each piece once")
        self._of_word = lru_cache(maxsize=65_536)(self._segment)

    @property
    def n_labels(self) -> int:
        """Pieces, marks and the blank."""
        return len(self.pieces) + len(self.marks) + 1

    def encode(self, text: str) -> list[int]:
        """Labels of a text, a mark standing for itself. InputError where a character is in no piece."""
        return [label for word in text.split() for label in self._labels(word)]

    def _labels(self, word: str) -> tuple[int, ...]:
        return (self.mark(word),) if word in self.marks else self._of_word(" " + word)

    def decode(self, labels: Sequence[int]) -> list[str]:
        """The piece of each label."""
        return [self.pieces[label - 1] for label in labels]

    def mark(self, name: str) -> int:
        """The label of a mark."""
        return 1 + len(self.pieces) + self.marks.index(name)

    def token(self, label: int, *, channel: int, audio_s: float) -> Token:
        """What a label says: a piece is text, a mark starts or ends a turn and has no text."""
        if label <= len(self.pieces):
            return Token(self.pieces[label - 1], channel, audio_s=audio_s)
        return Token("", channel, MARKS[self.marks[label - 1 - len(self.pieces)]], audio_s)

    def _segment(self, word: str) -> tuple[int, ...]:
        parts = list(word)
        while (best := self._best_pair(parts)) is not None:
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        unknown = [part for part in parts if part not in self._rank]
        if unknown and word in self._rank:  # a vocabulary of whole words has nothing to merge
            return (self._rank[word] + 1,)
        if unknown:
            what = f"no piece of the vocabulary holds {unknown[0]!r} of {word.strip()!r}"
            raise InputError(what, fix="train on texts that have every character")
        return tuple(self._rank[part] + 1 for part in parts)

    def _best_pair(self, parts: Sequence[str]) -> int | None:
        """Where the pair begins that was merged first; the leftmost of equals."""
        ranks = [
            (self._rank[pair], i) for i in range(len(parts) - 1) if (pair := parts[i] + parts[i + 1]) in self._rank
        ]
        return min(ranks)[1] if ranks else None
