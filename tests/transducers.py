"""Untrained predictors and joints with strong opinions, and what an encoder might have made of speech."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from earmark.models._blocks.transducer import Joint, Predictor

WIDTH = 4
"""Of the joint."""


def parts(seed: int = 0, blank: float = 0.0, *, n_labels: int) -> tuple[Predictor, Joint]:
    """A predictor and a joint that were drawn from ``seed``; ``blank`` is added to the blank's score."""
    torch.manual_seed(seed)
    predictor, joint = Predictor(n_labels, 3, 6, WIDTH).eval(), Joint(WIDTH, n_labels)
    for parameter in (*predictor.parameters(), *joint.parameters()):
        nn.init.normal_(parameter)
    with torch.no_grad():
        joint.output.bias[0] += blank
    return predictor, joint


def encodings(n: int, seed: int = 0) -> Tensor:
    """(n, WIDTH) frames."""
    return 2.0 * torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed))
