"""What can be chosen about adversarial reweighting; README.md says where the article leaves the choice."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.bench.api import InputError
from earmark.models._blocks.checks import in_range

NAME = "adversarial_reweighting"
FORMS = ("similarity", "pseudo_labels", "pairs", "uniform")


@dataclass(frozen=True, slots=True)
class Options:
    form: str = "pairs"
    """``similarity``: from accumulated pairwise similarities, a weight for each recording; ``pseudo_labels``: from its
    embedding and region; ``pairs``: the same, W_ij = w_i + w_j; ``uniform``: ``pairs`` with equal weights, a control.
    """
    regions: int = 8
    """k of k-means."""
    renew: int = 20
    """Steps after which the regions are found again."""
    kept: int = 2048
    """Embeddings, those heard last, that regions are found from."""
    hidden: int = 32
    """Width of the adversary's one layer."""
    learning_rate: float = 0.01
    """Of the adversary's Adam."""
    warm_up: float = 0.1
    """Share of the steps in which all weights are equal and the adversary waits."""
    floor: float = 1.0
    """Weights are floor + f / mean f: 1 gives a mean of 2 and none below 1, 0 a mean of 1."""
    seed: int = 0
    """Of the adversary's first weights and of k-means."""

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"option 'form' is {self.form!r}", where=NAME, fix=f"give one of: {', '.join(FORMS)}")
        in_range("regions", self.regions, 2, 1000, plugin=NAME)
        in_range("renew", self.renew, 1, 10**6, plugin=NAME)
        in_range("kept", self.kept, self.regions, 10**6, plugin=NAME)
        in_range("hidden", self.hidden, 1, 4096, plugin=NAME)
        in_range("learning_rate", self.learning_rate, 0.0, 10.0, plugin=NAME)
        in_range("warm_up", self.warm_up, 0.0, 1.0, plugin=NAME)
        in_range("floor", self.floor, 0.0, 100.0, plugin=NAME)
        in_range("seed", self.seed, 0, 2**31, plugin=NAME)

    @property
    def informed(self) -> bool:
        """Whether the adversary is told regions."""
        return self.form in ("pseudo_labels", "pairs")
