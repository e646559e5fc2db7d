"""The :class:`earmark.bench.api.Trainer` that repairs are given: the loop, bound to rows, seed and device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from earmark.bench.api import Example, Objective, Progress, Table, Trainable
from earmark.bench.training.loop import Course, Wishes, fit
from earmark.bench.training.state import Standing

if TYPE_CHECKING:
    from numpy.random import Generator

M = TypeVar("M", bound="Trainable[Any]")


@dataclass
class FabricTrainer:
    """``standing`` tells how the last fit went."""

    course: Course
    standing: Standing | None = None
    n_fits: int = 0
    log: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> Table:
        """Metadata and "cohort" of the train utterances; no outcomes."""
        return self.course.data.rows

    def examples(self, where: Sequence[int] | None = None) -> Iterator[Example]:
        return self.course.data.examples(where)

    def gradients(self, model: Trainable[Any], where: Sequence[int]) -> Iterator[Mapping[str, Tensor]]:
        """Gradients of the summed terms on one utterance at a time, in eval mode; the model keeps none.

        Recurrent layers of cuDNN have no gradient in eval mode: on a GPU the plain ones are used.
        """
        if isinstance(model, torch.nn.Module) and model.training:
            model = copy.deepcopy(model).eval()
        named = dict(model.named_parameters())
        progress = Progress(0, self.course.recipe.steps)
        for example in self.examples(where):
            batch = model.collate([example], np.random.default_rng(self.course.seed))
            with torch.backends.cudnn.flags(enabled=False):
                loss = torch.stack([*model.loss(batch, progress).terms.values()]).sum()
                found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            yield {
                name: torch.zeros_like(parameter) if gradient is None else gradient
                for (name, parameter), gradient in zip(named.items(), found, strict=True)
            }

    def fit(
        self,
        model: M,
        *,
        row_weights: Sequence[float] | None = None,
        transform: Callable[[Example, Generator], Example] | None = None,
        objective: Callable[[M], Objective[Any]] | None = None,
        frozen: Sequence[str] = (),
    ) -> M:
        """Train a copy of ``model``; the argument is untouched. ``frozen`` names parts."""
        wishes = Wishes(row_weights, transform, objective, frozen)
        trained, self.standing = fit(model, self._next_course(), wishes)
        self.log += [{**row, "fit": self.n_fits} for row in self.standing.log]
        return trained

    def _next_course(self) -> Course:
        """The course, under a name of its own for each further fit: none is taken up where another ended."""
        self.n_fits += 1
        path = self.course.state_file
        if self.n_fits == 1:
            return self.course
        return replace(
            self.course,
            state_file=path.with_name(f"{path.name}.{self.n_fits}") if path else None,
            identity=f"{self.course.identity} fit {self.n_fits}",
        )
