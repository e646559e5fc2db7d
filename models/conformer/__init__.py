"""Conformer: convolution and attention over a bounded past, a causal transducer. https://arxiv.org/abs/2005.08100"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="conformer",
    task="recognition",
    entry="earmark.models.conformer.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2005.08100",
)
