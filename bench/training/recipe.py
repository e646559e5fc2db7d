"""How the loop goes about it. Steps, not seconds, so that a seed fixes the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recipe:
    """AdamW, a linear warm-up and a linear decay to zero, gradients clipped by their norm."""

    steps: int
    batch_size: int = 32
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warmup: int = 50
    clip: float = 5.0
    dev_every: int | None = None
    """Steps from one look at the dev split to the next; None: ten looks."""
    save_every: int = 50
    """Steps after which a killed training can be taken up."""
    threads: int = 2
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of loss terms by name; 1 where none is given."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Of parts of the model by name, times the learning rate; 1 where none is given."""

    def rate(self, step: int) -> float:
        """Learning rate of step ``step``, counted from 0."""
        up = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return self.learning_rate * up * (1.0 - step / self.steps)

    def looks_at_dev(self, done: int) -> bool:
        """Whether the dev split is looked at when ``done`` steps have been made; always at the end."""
        every = self.dev_every or max(1, self.steps // 10)
        return done == self.steps or done % every == 0

    def saves(self, done: int) -> bool:
        return done % self.save_every == 0 and done < self.steps
