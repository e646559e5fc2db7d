"""SE-ResNet speaker encoder with attentive statistics pooling, for whole recordings and for streams."""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="resnetse",
    task="verification",
    entry="earmark.models.resnetse.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2003.11982",
)
