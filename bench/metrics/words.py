"""Word and character errors: counts that add up, and the alignment they come from.

Counts are those of jiwer's minimum edit distance (substitution, deletion and insertion cost 1 each). Text is split
at whitespace and compared exactly: normalize it first (``normalize.py``). Rates are derived from summed counts; the
mean of utterances' rates isn't a word error rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from earmark.bench.api import InputError

if TYPE_CHECKING:
    from jiwer import AlignmentChunk

Op: TypeAlias = Literal["equal", "substitute", "delete", "insert"]

_OPS: dict[str, Op] = {"equal": "equal", "substitute": "substitute", "delete": "delete", "insert": "insert"}


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Edit counts of one or many utterances (of characters, where so counted); add to aggregate.

    >>> sum([WordErrors(1, 0, 0, 4), WordErrors(0, 1, 1, 2)]).rate
    0.5
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0

    def __post_init__(self) -> None:
        if min(self.substitutions, self.deletions, self.insertions, self.reference_words) < 0:
            raise InputError(f"negative count in {self}")
        if self.substitutions + self.deletions > self.reference_words:
            raise InputError(f"more substitutions and deletions than reference words in {self}")

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_words + other.reference_words,
        )

    def __radd__(self, other: int) -> WordErrors:
        """Lets ``sum()`` start from 0."""
        return self if other == 0 else NotImplemented

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors per reference word, above 1 with many insertions; None without reference words."""
        return self.errors / self.reference_words if self.reference_words else None


@dataclass(frozen=True, slots=True)
class Aligned:
    """One step of an alignment; an index is None where that side has no word."""

    op: Op
    reference_index: int | None
    hypothesis_index: int | None


def score_words(reference: str, hypothesis: str) -> WordErrors:
    """Edit counts between two texts, word by word; either may be empty.

    >>> score_words("turn on the light please", "turn the night please now")
    WordErrors(substitutions=1, deletions=1, insertions=1, reference_words=5)
    """
    return score_many([reference], [hypothesis])[0]


def score_characters(reference: str, hypothesis: str) -> WordErrors:
    """Edit counts between two texts, character by character; runs of whitespace count as one character."""
    return score_many_characters([reference], [hypothesis])[0]


def score_many(references: Sequence[str], hypotheses: Sequence[str]) -> list[WordErrors]:
    """:func:`score_words` of each pair, in one pass."""
    return [_counted(*chunks) for chunks in _aligned_chunks(references, hypotheses, str.split)]


def score_many_characters(references: Sequence[str], hypotheses: Sequence[str]) -> list[WordErrors]:
    """:func:`score_characters` of each pair, in one pass."""
    return [_counted(*chunks) for chunks in _aligned_chunks(references, hypotheses, _characters)]


def align_words(reference: str, hypothesis: str) -> tuple[Aligned, ...]:
    """The steps of one minimum edit alignment, in order of the text; indices count the words of each side."""
    _, chunks = _aligned_chunks([reference], [hypothesis], str.split)[0]
    return tuple(step for chunk in chunks for step in _steps(chunk))


def _characters(text: str) -> list[str]:
    return list(" ".join(text.split()))


def _aligned_chunks(
    references: Sequence[str], hypotheses: Sequence[str], split: Callable[[str], list[str]]
) -> list[tuple[int, list[AlignmentChunk]]]:
    """Number of reference units and jiwer's alignment, for each pair of texts."""
    if isinstance(references, str) or isinstance(hypotheses, str) or len(references) != len(hypotheses):
        raise InputError(f"{len(references)} references for {len(hypotheses)} hypotheses")
    if not references:
        return []
    import jiwer  # it brings a command line along; whoever only reads tables needn't wait for it

    # Own splitting in place of jiwer's transforms: theirs reject or merge empty texts, and split at " " only.
    def transform(texts: list[str]) -> list[list[str]]:
        return [split(text) for text in texts]

    splitter: Any = transform
    out = jiwer.process_words(list(references), list(hypotheses), splitter, splitter)
    return [(len(words), chunks) for words, chunks in zip(out.references, out.alignments, strict=True)]


def _counted(n_reference: int, chunks: Sequence[AlignmentChunk]) -> WordErrors:
    substituted = deleted = inserted = 0
    for chunk in chunks:
        if chunk.type == "substitute":
            substituted += chunk.ref_end_idx - chunk.ref_start_idx
        elif chunk.type == "delete":
            deleted += chunk.ref_end_idx - chunk.ref_start_idx
        elif chunk.type == "insert":
            inserted += chunk.hyp_end_idx - chunk.hyp_start_idx
    return WordErrors(substituted, deleted, inserted, n_reference)


def _steps(chunk: AlignmentChunk) -> list[Aligned]:
    op = _OPS[chunk.type]
    reference = range(chunk.ref_start_idx, chunk.ref_end_idx)
    hypothesis = range(chunk.hyp_start_idx, chunk.hyp_end_idx)
    if op == "delete":
        return [Aligned(op, i, None) for i in reference]
    if op == "insert":
        return [Aligned(op, None, j) for j in hypothesis]
    return [Aligned(op, i, j) for i, j in zip(reference, hypothesis, strict=True)]
