"""Observers: run a model over a corpus and write raw observations."""
