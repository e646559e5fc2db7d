"""Separator-transducer-segmenter: who says what and when turns end, as it is said. https://arxiv.org/abs/2205.05199"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="sts",
    task="conversation",
    entry="earmark.models.sts.model:build",
    presets=("tiny", "small", "paper"),
    license="Apache-2.0",
    source="https://arxiv.org/abs/2205.05199",
)
