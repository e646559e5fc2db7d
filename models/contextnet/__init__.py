"""ContextNet: depthwise separable convolutions with a mean of the past, a causal transducer. arXiv 2005.03191"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="contextnet",
    task="recognition",
    entry="earmark.models.contextnet.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2005.03191",
)
