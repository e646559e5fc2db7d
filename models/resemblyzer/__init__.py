"""Resemblyzer's pretrained GE2E speaker encoder, wrapped. https://arxiv.org/abs/1710.10467"""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="resemblyzer",
    task="verification",
    entry="earmark.models.resemblyzer.model:build",
    presets=("default",),
    license="Apache-2.0",
    source="https://github.com/resemble-ai/Resemblyzer",
    requires=("Resemblyzer",),
    pretrained=True,
)
