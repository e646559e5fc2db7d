"""What clusters of voices are called: by rank and by what tells them most, or neutrally where they are unstable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from earmark.bench.metrics.resampling import Floats

TELLING = 0.5
"""Standardized mean difference from which a column is told in a cluster's name."""


def describe(described: Mapping[str, Floats], inside: np.ndarray) -> dict[str, float]:
    """Standardized mean difference of each column between the speakers inside and the others, where there is one."""
    found = {}
    for name, values in described.items():
        known = np.isfinite(values)
        a, b = values[known & inside], values[known & ~inside]
        spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2) if min(len(a), len(b)) > 1 else 0.0
        if spread > 0:
            found[name] = round(float((a.mean() - b.mean()) / spread), 4)
    return found


def names_for(differences: Sequence[Mapping[str, float]], stable: bool) -> tuple[str, ...]:
    """v1, the highest rate on discover, to vk, with what tells each most; neutral letters for unstable clusters.

    >>> names_for([{"snr_db": -1.2, "duration_s": 0.1}, {}], stable=True)
    ('v1: snr_db low', 'v2')
    >>> names_for([{"snr_db": -1.2}, {}], stable=False)
    ('unstable a', 'unstable b')
    """
    if not stable:
        return tuple(f"unstable {_letters(i)}" for i in range(len(differences)))
    return tuple(f"v{i}{_telling(found)}" for i, found in enumerate(differences, 1))


def _telling(differences: Mapping[str, float]) -> str:
    name = max(differences, key=lambda n: abs(differences[n]), default=None)
    if name is None or abs(differences[name]) < TELLING:
        return ""
    return f": {name} {'high' if differences[name] > 0 else 'low'}"


def _letters(i: int) -> str:
    return chr(ord("a") + i) if i < 26 else _letters(i // 26 - 1) + chr(ord("a") + i % 26)
