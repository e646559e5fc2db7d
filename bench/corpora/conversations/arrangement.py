"""On which of two output channels a turn belongs: the overlap-based target arrangement of arXiv 2205.05199.

Turns go by their start. The first belongs to channel 0, every other to the channel of the turn before it, unless the
two overlap: then it goes to the other one. (SURT's heuristic, which takes the first channel that is free, moves back
to channel 0 after every overlap; this one stays.)
"""

from __future__ import annotations

from collections.abc import Sequence

N_CHANNELS = 2


def channels(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The channel of each turn, given as (start, end) in order of start.

    Turns that meet at a point do not overlap. With at most two talking at once no two of a channel overlap.

    >>> channels([(0.0, 2.0), (1.0, 3.0), (3.5, 4.0), (3.8, 5.0)])
    [0, 1, 1, 0]
    """
    found: list[int] = []
    for place, (start, _) in enumerate(spans):
        before = found[-1] if found else 0
        overlaps = place > 0 and start < spans[place - 1][1]
        found.append((before + overlaps) % N_CHANNELS)
    return found
