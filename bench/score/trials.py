"""A cell's trials as they were observed, in columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench.tables import read_table

_RELATIONS = ["pairing", "session_relation", "text_relation"]


@dataclass(frozen=True, slots=True)
class Trials:
    """A cell's trials as columns (n,), and remarks on how they were paired."""

    scores: NDArray[np.float64]
    is_target: NDArray[np.bool_]
    enroll_speaker: list[str]
    test_speaker: list[str]
    enroll_id: list[str]
    test_id: list[str]
    remarks: tuple[str, ...]
    llrs: NDArray[np.float64] | None = None

    @classmethod
    def read(cls, folder: Path) -> Trials:
        table = read_table(folder, "trials")
        relations = sorted({tuple(row[name] for name in _RELATIONS) for row in table.select(_RELATIONS).to_pylist()})
        remarks = [f"{how}, {session} session, {text} text".replace(" ", "_") for how, session, text in relations]
        return cls(
            np.asarray(table["score"]),
            np.asarray(table["target"]).astype(bool),
            table["enroll_speaker"].to_pylist(),
            table["test_speaker"].to_pylist(),
            table["enroll_id"].to_pylist(),
            table["test_id"].to_pylist(),
            tuple(f"trials:{remark}" for remark in remarks),
        )

    @property
    def speakers(self) -> set[str]:
        return {*self.enroll_speaker, *self.test_speaker}

    @property
    def sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of the target and of the non-target trials."""
        return self.scores[self.is_target], self.scores[~self.is_target]

    @property
    def both_sides(self) -> bool:
        return bool(self.is_target.any() and not self.is_target.all())

    @property
    def flags(self) -> list[str]:
        return [*self.remarks, f"targets:{int(self.is_target.sum())}"]

    @property
    def fields(self) -> dict[str, Any]:
        """What every row of the whole list says of it."""
        return {"n": len(self.scores), "n_unit": "trials", "n_speakers": len(self.speakers), "flags": self.flags}

    def within(self, speakers: Mapping[str, str]) -> Trials:
        """The trials both of whose speakers are among those given."""
        pairs = zip(self.enroll_speaker, self.test_speaker, strict=True)
        return self._at([place for place, (a, b) in enumerate(pairs) if a in speakers and b in speakers])

    def only(self, pairs: Collection[tuple[str, str]]) -> Trials:
        """The trials of these pairs of recordings, in order of their names."""
        named = sorted(zip(self.enroll_id, self.test_id, range(len(self.scores)), strict=True))
        return self._at([place for one, other, place in named if (one, other) in pairs])

    def _at(self, at: list[int]) -> Trials:
        names = (self.enroll_speaker, self.test_speaker, self.enroll_id, self.test_id)
        enroll, test, enroll_id, test_id = ([column[i] for i in at] for column in names)
        llrs = None if self.llrs is None else self.llrs[at]
        return Trials(self.scores[at], self.is_target[at], enroll, test, enroll_id, test_id, self.remarks, llrs)
