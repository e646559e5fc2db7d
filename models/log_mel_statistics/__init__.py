"""Mean and spread of log-mel energies as a speaker embedding, without weights: the row to stand beside every other."""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="log_mel_statistics",
    task="verification",
    entry="earmark.models.log_mel_statistics.model:build",
    presets=("default",),
    license="Apache-2.0",
    source="earmark; long-term average spectra: Furui, Itakura and Saito 1972",
    pretrained=True,
)
