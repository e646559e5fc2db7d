"""Conversations simulated from recordings of single talkers: delays, levels, rooms, and who speaks on which channel."""

from earmark.bench.api import CorpusSpec

SPEC = CorpusSpec(
    name="conversations",
    entry="earmark.bench.corpora.conversations.build:load",
    license="that of the recordings it is made from",
    source="arXiv 2205.05199, on-the-fly simulation; docs/corpora.md",
)
