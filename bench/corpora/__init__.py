"""Corpora: one schema, one way in (``load.load_corpus``), whatever the source."""
