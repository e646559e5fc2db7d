"""Compute-cost amortized Transformer-Transducer: spends less where less is heard. https://arxiv.org/abs/2207.02393"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="amortized",
    task="recognition",
    entry="earmark.models.amortized.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2207.02393",
)
