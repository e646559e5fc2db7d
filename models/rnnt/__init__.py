"""RNN-T: an LSTM transducer that streams, the baseline of the family. https://arxiv.org/abs/1211.3711"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="rnnt",
    task="recognition",
    entry="earmark.models.rnnt.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/1211.3711",
)
