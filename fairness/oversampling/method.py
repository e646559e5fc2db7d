"""Oversampling (Toward fairness in ASR, https://arxiv.org/abs/2207.11345): a trained recognizer is trained further on
everybody's utterances, those of small or of target cohorts more often than they are found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.bench.api import HasInfo, InputError, Json, Repaired, Trainer
from earmark.fairness.oversampling.machine import MachineTexts, transcripts
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.clusters import voice_regions
from earmark.models._blocks.repairs import TrainCohorts, learner
from earmark.models._blocks.shares import raised_shares, row_weights, smoothed_shares

NAME = "oversampling"
LABELS = ("human", "machine")
UNUSED = -1.0
DEFAULT_EXPONENT = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    exponent: float = UNUSED
    """Cohorts that are found in shares q are drawn in shares p ~ q^(1 - exponent); 0.5 where ``factor`` isn't given."""
    factor: float = UNUSED
    """Instead: an utterance of a target cohort is drawn so many times as often as any other."""
    voices: int = 0
    """Instead of the cohorts that are named: so many clusters of voices, as the model to repair hears them."""
    seed: int = 0
    """Of these clusters."""
    labels: str = "human"
    """Texts of what is drawn in addition: ``human``, the corpus's, or ``machine``, those of the model to repair."""

    def __post_init__(self) -> None:
        if self.exponent != UNUSED and self.factor != UNUSED:
            raise InputError("options 'exponent' and 'factor' are both given", where=NAME, fix="give one of them")
        if self.exponent != UNUSED:
            in_range("exponent", self.exponent, 0.0, 1.0, plugin=NAME)
        if self.factor != UNUSED:
            in_range("factor", self.factor, 1.0, 1e6, plugin=NAME)
        if self.voices:
            in_range("voices", self.voices, 2, 1000, plugin=NAME)
        in_range("seed", self.seed, 0, 2**31, plugin=NAME)
        if self.voices and self.factor != UNUSED:
            what = "option 'factor' raises target cohorts, and of clusters of voices none is a target"
            raise InputError(what, where=NAME, fix="give exponent")
        if self.labels not in LABELS:
            raise InputError(f"option 'labels' is {self.labels!r}", where=NAME, fix=f"give one of: {', '.join(LABELS)}")

    def shares(self, cohorts: TrainCohorts) -> dict[str, float]:
        """In which cohorts are drawn."""
        if self.factor != UNUSED:
            return raised_shares(cohorts.sizes, cohorts.target, self.factor)
        return smoothed_shares(cohorts.sizes, DEFAULT_EXPONENT if self.exponent == UNUSED else self.exponent)


@dataclass(frozen=True, slots=True)
class Oversampling:
    """A mitigation."""

    options: Options

    def apply(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> Repaired:
        """The model trained further with cohorts in other shares.

        Raises:
            InputError: no train utterance is of a target cohort; with machine transcripts, an utterance of several
                turns, or a cohort of which the model says nothing.
            Unsupported: machine transcripts of a model that is no recognizer.
        """
        trainable = learner(model, plugin=NAME)
        cohorts = self._cohorts(model, target, trainer)
        weights = row_weights(cohorts.names, self.options.shares(cohorts))
        if self.options.labels == "human":
            return Repaired(trainer.fit(trainable, row_weights=weights))
        ids: list[str] = trainer.rows["utterance_id"].to_pylist()
        added = np.asarray(weights) - min(weights)
        texts = transcripts(model, trainer.examples([int(row) for row in added.nonzero()[0]]), plugin=NAME)
        added = _to_heard(added, cohorts, np.array([bool(texts.get(name)) for name in ids]))
        whole = added + min(weights)
        chances = {name: float(a / w) for name, a, w in zip(ids, added, whole, strict=True) if a > 0}
        change = MachineTexts(texts, chances)
        return Repaired(trainer.fit(trainable, row_weights=whole.tolist(), transform=change))

    def _cohorts(self, model: HasInfo, target: Sequence[str], trainer: Trainer) -> TrainCohorts:
        if not self.options.voices:
            return TrainCohorts.read(target, trainer, plugin=NAME)
        regions = voice_regions(model, trainer, self.options.voices, seed=self.options.seed, plugin=NAME)
        return TrainCohorts(regions, frozenset())


def _to_heard(added: NDArray[np.float64], cohorts: TrainCohorts, heard: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The weight that is added to each utterance, given in each cohort to those alone of which something was heard."""
    names, moved = np.array(cohorts.names), np.zeros_like(added)
    for name in sorted({*cohorts.names}):
        inside = names == name
        given = added[inside].sum()
        if not given:
            continue
        if not heard[inside].any():
            raise InputError(f"the model says nothing of cohort {name!r}", where=NAME, fix="give labels = 'human'")
        moved[inside & heard] = given / (inside & heard).sum()
    return moved


def build(*, options: Mapping[str, Json]) -> Oversampling:
    """The mitigation with these options; InputError where one is wrong."""
    return Oversampling(read_options(Options, options, plugin=NAME))
