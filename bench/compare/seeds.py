"""Several seeds of two methods on the same recordings: seeds and speakers are drawn together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from earmark.bench.compare.changes import Change, of_difference
from earmark.bench.compare.words import Heard
from earmark.bench.metrics.paired import MIN_SEEDS, paired_difference
from earmark.bench.metrics.resampling import Floats

FEW_SEEDS = f"fewer than {MIN_SEEDS} seeds: an interval, and no test"


@dataclass(slots=True)
class Seeds:
    """Word errors by speaker of every pair of cells that differs from others in the seed alone, by label."""

    heard: dict[str, list[tuple[tuple[str, ...], Floats, Floats, Floats]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, label: str, heard: Heard) -> None:
        before, after, words = map(heard.by_unit, (heard.errors.first, heard.errors.second, heard.errors.words))
        self.heard[label].append((heard.units, before, after, words))

    def changes(self, level: float) -> Iterator[Change]:
        """The change of the mean word error rate over the seeds of each label that has several.

        Seeds of the two sides have nothing but their number in common, so each side's are drawn by themselves.
        """
        for label, found in self.heard.items():
            units, _, _, words = found[0]
            alike = all(one[0] == units and np.array_equal(one[3], words) for one in found)
            if len(found) < 2 or not alike or not words.sum():
                continue
            before, after = (np.stack([one[side] for one in found]) for side in (1, 2))
            difference = paired_difference(before, after, words, paired_seeds=False, seed=len(found), level=level)
            told: dict[str, Any] = of_difference(difference) | {"ci_method": "percentile over seeds and speakers"}
            told |= {"n_speakers": len(units), "reason": FEW_SEEDS if difference.p_value is None else None}
            yield Change(f"{label}, {len(found)} seeds", ("*", "*"), "wer", **told)
