"""A recording on its way through a causal network: at every moment an embedding of what was heard so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from earmark.bench.api import Array, Samples, Unsupported
from earmark.models._blocks.checks import check_samples
from earmark.models.resnetse.hearing import Hearing, HearingStream

if TYPE_CHECKING:
    from earmark.models.resnetse.layers import Memory
    from earmark.models.resnetse.network import SpeakerNetwork


class SpeakerStream:
    """An EmbeddingStream that counts its work.

    After a recording it gives what ``embed`` gives for it, save where that has less than one block of spoken frames.
    """

    def __init__(self, hearing: Hearing, network: SpeakerNetwork, *, plugin: str) -> None:
        if not hearing.causal:
            raise Unsupported(f'this {plugin} hears whole recordings: build it with hears = "stream"')
        self.network, self.plugin = network, plugin
        self._work: Counter[str] = Counter()
        with torch.inference_mode():
            self.frames = HearingStream(hearing)
            self.memory: Memory = {}

    def accept(self, samples: Samples) -> None:
        """Take the next samples (n,). Raises InputError on NaN or infinity."""
        check_samples(samples, plugin=self.plugin)
        before = self.frames.n_frames
        with torch.inference_mode():
            for block in self.frames.accept(samples):
                self.network.hear(block, self.memory)
                self._work.update(self.network.macs(block.shape[1]))
        self._work["front_end"] += self.frames.hearing.front.macs(self.frames.n_frames - before)

    def embedding(self) -> Array | None:
        """(dim,) of length 1; None before the first block of spoken frames."""
        if self.network.pool not in self.memory:
            return None
        with torch.inference_mode():
            found: Array = normalize(self.network.so_far(self.memory), dim=1)[0].cpu().numpy()
        self._work["output"] += self.network.output.weight.numel()
        return found

    def work(self) -> Mapping[str, int]:
        """MACs executed so far: mel product, convolutions, squeeze and excitation, pooling, output."""
        return dict(self._work)
