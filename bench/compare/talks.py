"""Two models of conversations on the same recordings: errors under ORC and numbers of turns, by conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.api import InputError, Unsupported
from earmark.bench.compare.changes import Change, of_difference, tested
from earmark.bench.compare.words import Moved
from earmark.bench.metrics.conversation import Recording
from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.words import WordErrors
from earmark.bench.score.conversation import Talks

KINDS: Mapping[str, str] = {
    "orc_substitution_rate": "substitutions",
    "orc_deletion_rate": "deletions",
    "orc_insertion_rate": "insertions",
}
"""Kinds of the ORC errors, tested where they are asked for by name."""
FIGURES = ("orc_wer", "turn_count_accuracy", *KINDS)


@dataclass(frozen=True, slots=True)
class Conversed:
    """The same conversations as two models told them."""

    before: Talks
    after: Talks

    @classmethod
    def read(cls, a: Path, b: Path, normalizer: str) -> Conversed:
        """Raises InputError unless both cells heard the same turns."""
        sides = [Talks.read(folder, normalizer) for folder in (a, b)]
        spoken = [{one.name: one.spoken for one in side.recordings} for side in sides]
        if spoken[0] != spoken[1]:
            what = "the conversations or their turns are not the same"
            raise InputError(what, where="compare", fix="measure both on the same corpus")
        return cls(*sides)

    def errors(self) -> list[tuple[WordErrors, WordErrors]]:
        """Of each conversation with words, in order of the names. Unsupported where nothing can match them."""
        before, after = self.before.best.errors, self.after.best.errors
        return [(before[name], after[name]) for name in sorted(before)]

    def moved(self, label: str, n: int) -> tuple[Moved, ...]:
        """The ``n`` conversations whose errors changed most, each turn and each channel of the output by itself."""
        try:
            changes = self.errors()
        except Unsupported:
            return ()
        names = sorted(self.before.best.errors)
        told = [{one.name: one for one in side.recordings} for side in (self.before, self.after)]
        changed = [(name, *both) for name, both in zip(names, changes, strict=True) if both[0].errors != both[1].errors]
        changed.sort(key=lambda one: -abs(one[2].errors - one[1].errors))
        return tuple(
            Moved(
                label, name, _speakers(told[0][name]), _spoken(told[0][name]), _said(told[0][name]),
                _said(told[1][name]), was.errors, now.errors,
            )
            for name, was, now in changed[:n]
        )  # fmt: skip


def talk_changes(
    talks: Conversed, common: dict[str, Any], seed: int, named: Set[str] = frozenset()
) -> Iterator[Change]:
    """The paired bootstrap draws conversations; of the kinds of errors only the ``named`` ones are looked at."""
    try:
        yield from _error_changes(talks, common, seed, named)
    except Unsupported as error:
        yield Change(**common, metric="orc_wer", before=None, after=None, reason=str(error))
    names = sorted(one.name for one in talks.before.recordings)
    if names:
        sides = [
            {r.name: len(r.said) == len(r.spoken) for r in side.recordings} for side in (talks.before, talks.after)
        ]
        before, after = (np.array([side[name] for name in names], dtype=np.float64) for side in sides)
        yield _change("turn_count_accuracy", before, after, np.ones(len(names)), common, seed)


def _error_changes(talks: Conversed, common: dict[str, Any], seed: int, named: Set[str]) -> Iterator[Change]:
    errors = talks.errors()
    words = np.array([was.reference_words for was, _ in errors], dtype=np.float64)
    if not words.sum():
        yield Change(**common, metric="orc_wer", before=None, after=None, reason="the references hold no words")
        return
    for metric, kind in {"orc_wer": "errors", **KINDS}.items():
        if metric == "orc_wer" or metric in named:
            before, after = (np.array([getattr(one[i], kind) for one in errors], dtype=np.float64) for i in (0, 1))
            yield _change(metric, before, after, words, common, seed)


def _change(metric: str, before: Floats, after: Floats, units: Floats, common: dict[str, Any], seed: int) -> Change:
    found = of_difference(tested(before, after, units, seed=seed)) | {"ci_method": "paired over conversations"}
    return Change(**common, metric=metric, **found, n=len(units), n_unit="conversations")


def _speakers(recording: Recording) -> str | None:
    return ", ".join(sorted({turn.speaker for turn in recording.spoken if turn.speaker})) or None


def _spoken(recording: Recording) -> str:
    return " / ".join(turn.text for turn in recording.spoken)


def _said(recording: Recording) -> str:
    return " / ".join(f"{turn.channel}: {turn.text}" for turn in recording.said)
