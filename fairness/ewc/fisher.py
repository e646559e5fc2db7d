"""How much each weight matters: the diagonal of the Fisher information, estimated at the trained weights.

F_i = (1/N) sum_n (d log P(y_n | x_n) / d theta_i)^2, one utterance at a time. To square the gradient of a batch would
be another thing: there utterances cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from torch import Tensor

from earmark.bench.api import Losses, Progress, Trainable, Trainer
from earmark.models._blocks.repairs import at_rest


@runtime_checkable
class GivesLikelihood(Protocol):
    """Optional, on a model: the log-likelihood itself, where its loss is something else as well or a mean."""

    def log_likelihood(self, batch: Any) -> Tensor:
        """log P(y | x) of each utterance of a batch, in nats: (B,)."""


class OnlyLikelihood:
    """A model whose one loss is minus the log-likelihood; in everything else the model that it was made of."""

    def __init__(self, model: Trainable[Any]) -> None:
        self.model = model

    def loss(self, batch: Any, progress: Progress) -> Losses:  # noqa: ARG002 - no schedule
        return Losses({"likelihood": -cast("GivesLikelihood", self.model).log_likelihood(batch).sum()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def population(n_rows: int, n_wanted: int, seed: int) -> list[int]:
    """Rows drawn evenly from all of them, none twice, in order; all rows where there are no more than wanted."""
    rng = np.random.default_rng((seed, 0xF15E))
    return sorted(int(row) for row in rng.choice(n_rows, min(n_rows, n_wanted), replace=False))


def diagonal_fisher(
    model: Trainable[Any], trainer: Trainer, where: Sequence[int], names: Collection[str]
) -> dict[str, Tensor]:
    """F of the named parameters, shaped as they are, from the utterances at ``where``, the model in eval mode.

    A model with ``log_likelihood`` gives the gradients of that. Of any other the sum of its loss terms has to do, as it
    is for one utterance.
    """
    resting = at_rest(model)
    seen = cast("Trainable[Any]", OnlyLikelihood(resting)) if isinstance(resting, GivesLikelihood) else resting
    squares: dict[str, Tensor] = {}
    for gradient in trainer.gradients(seen, where):
        for name in names:
            square = gradient[name].detach().square()
            squares[name] = square if name not in squares else squares[name].add_(square)
    return {name: square / len(where) for name, square in squares.items()}
