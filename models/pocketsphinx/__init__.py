"""PocketSphinx with its own US English model, wrapped: a classic engine of hidden Markov models and n-grams."""

from earmark.bench.api import ModelSpec

SPEC = ModelSpec(
    name="pocketsphinx",
    task="recognition",
    entry="earmark.models.pocketsphinx.model:build",
    presets=("default",),
    license="BSD-2-Clause",
    source="https://github.com/cmusphinx/pocketsphinx",
    requires=("pocketsphinx",),
    pretrained=True,
)
