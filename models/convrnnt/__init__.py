"""ConvRNN-T: a causal convolutional front end before an LSTM transducer. https://arxiv.org/abs/2209.14868"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="convrnnt",
    task="recognition",
    entry="earmark.models.convrnnt.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2209.14868",
)
