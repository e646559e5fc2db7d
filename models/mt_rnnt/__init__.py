"""Multi-turn RNN-T: two channels from one recording, as it is spoken. https://arxiv.org/abs/2112.10200"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="mt_rnnt",
    task="conversation",
    entry="earmark.models.mt_rnnt.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2112.10200",
)
