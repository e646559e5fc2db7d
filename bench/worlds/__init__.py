"""The error world: people, places, voices and error counts without audio, with known truths; how finders fare in it."""

from earmark.bench.worlds.power import Fit, Outcome, measure, play, random_groups, summarize
from earmark.bench.worlds.world import GROUPS, SPLITS, Drawn, World, draw

__all__ = [
    "GROUPS",
    "SPLITS",
    "Drawn",
    "Fit",
    "Outcome",
    "World",
    "draw",
    "measure",
    "play",
    "random_groups",
    "summarize",
]
