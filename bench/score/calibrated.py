"""What takes speakers who are not measured: scores normalized by impostors, and scores as likelihood ratios."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics.calibration import Calibration, fit_calibration
from earmark.bench.metrics.verification import as_norm
from earmark.bench.score.trials import Trials
from earmark.bench.tables import read_table

N_TOP = 50
"""Closest impostor speakers that a recording is normalized by; all of them, where there are fewer."""
MIN_IMPOSTORS = 10
NO_IMPOSTORS = f"fewer than {MIN_IMPOSTORS} train speakers who are not measured, to normalize scores by"
NO_CALIBRATION = "no dev speakers with trials of both kinds, to calibrate scores on"


@dataclass(frozen=True, slots=True)
class Normalized:
    """AS-normed scores (n,) of a cell's trials, and the speakers they are normalized by, with their metadata."""

    scores: NDArray[np.float64]
    impostors: Mapping[str, Mapping[str, str]]

    @property
    def flags(self) -> list[str]:
        """Who the impostors are: how many, and of which gender."""
        n = len(self.impostors)
        told = [f"impostors:{n}", f"impostors_top:{min(N_TOP, n)}"]
        genders = Counter(known["gender"] for known in self.impostors.values() if "gender" in known)
        return told + [f"impostors_gender:{name}={count}" for name, count in sorted(genders.items())]

    def n_of(self, column: str, value: str) -> int:
        """Impostors with a value in a column of the metadata: a cohort's own."""
        return sum(known.get(column) == value for known in self.impostors.values())


def normalized(trials: Trials, folder: Path) -> Normalized | str:
    """The trials' scores after AS-norm, or why there are none."""
    vectors, metadata = _impostors(folder)
    if len(metadata) < MIN_IMPOSTORS:
        return NO_IMPOSTORS
    own = read_table(folder, "embeddings")
    place = {name: row for row, name in enumerate(own["utterance_id"].to_pylist())}
    against = _matrix(own) @ vectors.T  # (recordings, impostors)
    sides = ([place[name] for name in side] for side in (trials.enroll_id, trials.test_id))
    try:
        return Normalized(as_norm(trials.scores, against, *sides, n_top=min(N_TOP, len(vectors))), metadata)
    except InputError as error:
        return error.what


def calibration(folder: Path) -> tuple[Calibration, int] | None:
    """The map to likelihood ratios, fitted once for everybody, and how many target trials it rests on."""
    table = read_table(folder, "calibration_trials")
    scores, target = np.asarray(table["score"]), np.asarray(table["target"]).astype(bool)
    if not target.any() or target.all() or scores.min() == scores.max():
        return None
    return fit_calibration(scores[target], scores[~target]), int(target.sum())


def _impostors(folder: Path) -> tuple[NDArray[np.float64], dict[str, dict[str, str]]]:
    """A vector of length one for each impostor speaker, the mean over their recordings, and what is known of each."""
    table = read_table(folder, "impostors")
    rows: dict[str, list[int]] = defaultdict(list)
    for row, speaker in enumerate(table["speaker"].to_pylist()):
        rows[speaker].append(row)
    matrix = _matrix(table)
    means = np.array([matrix[at].mean(axis=0) for at in rows.values()]).reshape(len(rows), matrix.shape[1])
    told = table["metadata"].to_pylist()
    known = {speaker: json.loads(told[at[0]] or "{}") for speaker, at in rows.items()}
    return means / np.linalg.norm(means, axis=1, keepdims=True), known


def _matrix(table: Any) -> NDArray[np.float64]:
    """Vectors (n, D) of length one."""
    vectors = np.array(table["vector"].to_pylist() or np.zeros((0, 1)), dtype=np.float64)
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
