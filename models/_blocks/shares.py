"""In what shares a repair draws cohorts, and the weights of utterances that make it so. Numbers alone, no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence


def smoothed_shares(sizes: Mapping[str, int], exponent: float) -> dict[str, float]:
    """Shares p ~ q^(1 - exponent) of cohorts that are found in shares q: 0 keeps them, 1 makes all equal.

    >>> shares = smoothed_shares({"most": 800, "some": 150, "few": 50}, 0.5)
    >>> {name: round(share, 4) for name, share in shares.items()}
    {'most': 0.5942, 'some': 0.2573, 'few': 0.1485}
    """
    n = sum(sizes.values())
    return _summing_to_one({name: (size / n) ** (1.0 - exponent) for name, size in sizes.items()})


def raised_shares(sizes: Mapping[str, int], target: Collection[str], factor: float) -> dict[str, float]:
    """Shares in which an utterance of ``target`` is drawn ``factor`` times as often as one of another cohort.

    >>> raised_shares({"most": 90, "few": 10}, ["few"], 3.0)
    {'most': 0.75, 'few': 0.25}
    """
    return _summing_to_one({name: size * (factor if name in target else 1.0) for name, size in sizes.items()})


def row_weights(cohorts: Sequence[str], shares: Mapping[str, float]) -> list[float]:
    """Of each utterance of these cohorts, so that cohorts are drawn in ``shares``: 1 leaves it as frequent as it is.

    >>> row_weights(["most", "most", "most", "few"], {"most": 0.5, "few": 0.5})
    [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0]
    """
    sizes = Counter(cohorts)
    return [shares[name] * len(cohorts) / sizes[name] for name in cohorts]


def _summing_to_one(parts: Mapping[str, float]) -> dict[str, float]:
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}
