"""Whether a ranking hangs on a choice of rule: error rates by other poolings, normalizers and EER rules, held together.

Pure: it reads the rows of comparable cells and nothing else. A flip is a pair of models whose order by the headline
metric is the other way round by a variant of it, ties apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from earmark.bench.formatting import number, unit
from earmark.bench.report import HEADLINE, CellView, Group, axis_text

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "wer": (
        "wer_speaker_mean", "wer_utterance_mean", "wer_raw", "wer_raw_speaker_mean", "wer_raw_utterance_mean",
    ),
    "eer": ("eer_hull", "eer_nearest"),
}  # fmt: skip
"""By headline metric, the same errors by other rules: three poolings under two normalizers, three rules of the EER."""
PLACE = ("condition", "chunk_ms", "pacing", "threads", "precision", "backend", "passes")
"""Circumstances under which models are ranked against each other; seeds of one kind are as well."""


@dataclass(frozen=True, slots=True)
class Flip:
    """``better`` beats ``worse`` by ``metric`` and loses by ``variant``; cells and values are in that order."""

    metric: str
    variant: str
    better: str
    worse: str
    cells: tuple[str, str]
    by_metric: tuple[float, float]
    by_variant: tuple[float, float]

    @property
    def text(self) -> str:
        """One sentence, in the metric's unit."""
        sides = [
            f"{number(name, a)} and {number(name, b)} {unit(name)}".strip()
            for name, (a, b) in ((self.metric, self.by_metric), (self.variant, self.by_variant))
        ]
        return (
            f"ranking hangs on the rule: {self.better} beats {self.worse} by {self.metric} ({sides[0]}) "
            f"and loses by {self.variant} ({sides[1]})"
        )


def flips(group: Group) -> tuple[Flip, ...]:
    """Every flip of the group's models, for cells under the same circumstances and seed, in order of name."""
    headline = HEADLINE[group.task]
    places: dict[tuple[str, ...], list[CellView]] = defaultdict(list)
    for view in group.cells:
        places[tuple(axis_text(view.cell, axis) for axis in (*PLACE, "seed"))].append(view)
    return tuple(flip for cells in places.values() for flip in _among(cells, headline))


def _among(cells: Sequence[CellView], headline: str) -> Iterator[Flip]:
    for variant in VARIANTS.get(headline, ()):
        ranked = [(_value(v, headline), _value(v, variant), _name(v, cells), v.cell.cell) for v in cells]
        known = [(a, b, name, cell) for a, b, name, cell in ranked if a is not None and b is not None]
        for one, other in combinations(sorted(known), 2):
            if one[0] < other[0] and one[1] > other[1]:
                ids = one[3], other[3]
                yield Flip(headline, variant, one[2], other[2], ids, (one[0], other[0]), (one[1], other[1]))


def _value(view: CellView, metric: str) -> float | None:
    row = view.get(metric)
    return None if row is None else row.value


def _name(view: CellView, cells: Sequence[CellView]) -> str:
    """The label, with the options where another cell has the same."""
    twins = [other for other in cells if other.label == view.label]
    differing = [axis for axis in ("preset", "options", "steps", "train_corpus", "cohort_input")
                 if len({axis_text(other.cell, axis) for other in twins}) > 1]  # fmt: skip
    told = ", ".join(axis_text(view.cell, axis) for axis in differing)
    return f"{view.label} ({told})" if told else view.label
