"""Where a recording is loud and where quiet, and what was computed there: a histogram over levels, as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from earmark.bench.api import Samples

QUIET_DB = 20.0
"""A frame so far below the loudest one of its recording is quiet."""
SMALLEST = 1e-10
"""Power that counts as silence: -100 dB."""


class Loudness:
    """Shares that were on, by the level of the frame in whole dB.

    State: the samples of frames that aren't complete, and for each level how many frames there were and the sums of
    their shares: at most 101 levels, however long a recording is.
    """

    def __init__(self, hop: int, names: Sequence[str]) -> None:
        self.hop, self.names = hop, tuple(names)
        self.rest = np.zeros(0, dtype=np.float32)
        self.levels: dict[int, list[float]] = {}

    def note(self, samples: Samples, shares: Tensor | None) -> None:
        """The next samples (n,), and of the k frames that they complete the shares (k, names) that were on."""
        self.rest = np.concatenate([self.rest, samples])
        if shares is None:
            return
        k = len(shares)
        heard = self.rest[: k * self.hop].reshape(k, self.hop).astype(np.float64)
        self.rest = self.rest[k * self.hop :].copy()
        levels = np.rint(10.0 * np.log10(np.square(heard).mean(axis=1) + SMALLEST)).astype(int).tolist()
        for level, row in zip(levels, shares.tolist(), strict=True):
            kept = self.levels.get(level, [0.0] * (1 + len(self.names)))
            self.levels[level] = [a + b for a, b in zip(kept, [1.0, *row], strict=True)]

    def probes(self) -> Mapping[str, float]:
        """``loud_frames`` and ``quiet_frames``, and of each the mean shares, ``loud_rate_<name>``; nothing of none."""
        found: dict[str, float] = {}
        edge = max(self.levels, default=0) - QUIET_DB
        for name, is_loud in (("loud", True), ("quiet", False)):
            rows = [sums for level, sums in self.levels.items() if (level > edge) is is_loud]
            if not rows:
                continue
            n, *on = (sum(column) for column in zip(*rows, strict=True))
            found[f"{name}_frames"] = n
            found.update({f"{name}_rate_{gate}": total / n for gate, total in zip(self.names, on, strict=True)})
        return found
