"""Two models of conversations on the same recordings: the change of the ORC word error rate, by conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.api import InputError
from earmark.bench.compare.changes import Change, of_difference, tested
from earmark.bench.score.conversation import Talks


def talk_changes(folders: tuple[Path, Path], normalizer: str, common: dict[str, Any], seed: int) -> Iterator[Change]:
    """The paired bootstrap draws conversations; raises InputError unless both cells heard the same ones."""
    sides = [Talks.read(folder, normalizer) for folder in folders]
    spoken = [{one.name: one.spoken for one in side.wordy} for side in sides]
    if spoken[0] != spoken[1]:
        raise InputError(
            "the conversations or their turns are not the same", where="compare", fix="measure both on the same corpus"
        )
    errors = [side.best.errors for side in sides]
    names = sorted(errors[0])
    words = np.array([errors[0][name].reference_words for name in names], dtype=np.float64)
    if not words.sum():
        yield Change(**common, metric="orc_wer", before=None, after=None, reason="the references hold no words")
        return
    before, after = (np.array([side[name].errors for name in names], dtype=np.float64) for side in errors)
    found = of_difference(tested(before, after, words, seed=seed)) | {"ci_method": "paired over conversations"}
    yield Change(**common, metric="orc_wer", **found, n=len(names), n_unit="conversations")
