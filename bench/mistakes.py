"""What a recognizer got wrong: the worst utterances of a cell, aligned, and the words it confuses most.

Read from stored observations; texts are compared as the run's normalizer leaves them, so the counts add up to the
error rate in the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import Op, WordErrors, align_words, score_many
from earmark.bench.rows import Cell
from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

Count = tuple[str, int]
T = TypeVar("T", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an alignment; a side without a word is None."""

    op: Op
    reference: str | None
    hypothesis: str | None

    @property
    def shown(self) -> str:
        """The longer word of the two sides."""
        return max(self.reference or "", self.hypothesis or "", key=len)


@dataclass(frozen=True, slots=True)
class Mistake:
    """An utterance with errors."""

    utterance_id: str
    speaker: str | None
    errors: WordErrors
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The mistakes of one cell; pairs and words come with their counts, most frequent first."""

    cell: str
    label: str
    n_utterances: int
    n_wrong: int
    errors: WordErrors
    worst: tuple[Mistake, ...]
    confusions: tuple[tuple[tuple[str, str], int], ...]
    insertions: tuple[Count, ...]
    deletions: tuple[Count, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_mistakes(folder: RunFolder, *, cell: str | None = None, n: int = 20) -> list[Mistakes]:
    """The mistakes of every recognition cell of a run that went well, or of those whose key begins with ``cell``.

    Args:
        n: how many utterances, pairs and words are kept.
    Raises:
        InputError: no such cell, or one without transcripts.
    """
    normalizer = folder.read_run().normalizer
    return [_of_cell(folder, row, normalizer, n) for row in cells_with(folder, cell, ("recognition", "conversation"))]


def cells_with(folder: RunFolder, wanted: str | None, tasks: Sequence[str]) -> list[Cell]:
    """The cells of these tasks that went well; those whose key begins with ``wanted``, if that is given."""
    cells = folder.read_cells()
    named = [row for row in cells if row.cell.startswith(wanted or "")]
    where = str(folder.path)
    if not named:
        known = ", ".join(row.cell for row in cells) or "none"
        raise InputError(f"no cell begins with {wanted!r}", where=where, fix=f"the run's cells: {known}")
    chosen = [row for row in named if row.task in tasks and row.status == "ok"]
    if not chosen:
        found = ", ".join(sorted({f"{row.task} ({row.status})" for row in named}))
        fix = f"there is {found}; see earmark show"
        raise InputError(f"no {' or '.join(tasks)} cell that is ok", where=where, fix=fix)
    return chosen


def _of_cell(folder: RunFolder, cell: Cell, normalizer: str, n: int) -> Mistakes:
    rows = read_table(folder.observations(cell.cell), "utterances").to_pylist()
    references = [normalize(row["reference"], normalizer) for row in rows]
    hypotheses = [normalize(row["hypothesis_raw"], normalizer) for row in rows]
    errors = score_many(references, hypotheses)
    wrong = [place for place, counts in enumerate(errors) if counts.errors]
    found = [_mistake(rows[i], errors[i], references[i], hypotheses[i]) for i in wrong]
    steps = [step for one in found for step in one.steps]
    about = f"{cell.corpus}/{cell.split} {cell.condition}, {cell.device}, seed {cell.seed}"
    worst = sorted(found, key=lambda one: (-one.errors.errors, -(one.errors.rate or 0.0), one.utterance_id))
    return Mistakes(
        cell=cell.cell,
        label=f"{cell.plugin} on {about} ({cell.cell})",
        n_utterances=len(rows),
        n_wrong=len(wrong),
        errors=sum(errors, WordErrors()),
        worst=tuple(worst[:n]),
        confusions=_counted(((s.reference or "", s.hypothesis or "") for s in steps if s.op == "substitute"), n),
        insertions=_counted((s.shown for s in steps if s.op == "insert"), n),
        deletions=_counted((s.shown for s in steps if s.op == "delete"), n),
    )


def _mistake(row: Mapping[str, Any], errors: WordErrors, reference: str, hypothesis: str) -> Mistake:
    said, heard = reference.split(), hypothesis.split()
    steps = tuple(
        Step(
            step.op,
            None if step.reference_index is None else said[step.reference_index],
            None if step.hypothesis_index is None else heard[step.hypothesis_index],
        )
        for step in align_words(reference, hypothesis)
    )
    return Mistake(row["utterance_id"], row["speaker"], errors, steps)


def _counted(items: Iterable[T], n: int) -> tuple[tuple[T, int], ...]:
    """Most frequent first, equals in alphabetical order."""
    return tuple(sorted(Counter(items).items(), key=lambda item: (-item[1], item[0]))[:n])
