"""Synthetic speech in which it is now easy and now hard to hear: for models that spend more where it is."""

from earmark.bench.api import CorpusSpec

SPEC = CorpusSpec(
    "synthetic-varied",
    "earmark.bench.corpora.varied.build:load",
    "Apache-2.0 (recipe); the audio is made by espeak-ng (GPL-3.0, used unmodified from espeakng-loader)",
    "espeak-ng, docs/corpora.md",
    ("espeakng-loader",),
)
