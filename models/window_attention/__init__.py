"""Transformer-Transducer that looks back over a fixed window, a baseline. https://arxiv.org/abs/2207.02393"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="window_attention",
    task="recognition",
    entry="earmark.models.window_attention.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2207.02393",
)
