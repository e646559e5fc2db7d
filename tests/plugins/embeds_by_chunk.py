"""Its embedding depends on how the recording was cut: what a chunk of 165 samples leaves of a frame is lost."""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from fakes.embedder import TinyEmbedder, TinyStream

from earmark.bench.api import ModelSpec, Samples


class Stream(TinyStream):
    def accept(self, samples: Samples) -> None:
        super().accept(samples)
        if len(samples) == 165:
            self.rest = self.rest[:0]


class Embedder(TinyEmbedder):
    def embedding_stream(self) -> Stream:
        return Stream(self)


def build(preset: str, **how: Any) -> Embedder:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how["seed"])
        return Embedder().eval()


SPEC = ModelSpec("embeds_by_chunk", "verification", "embeds_by_chunk:build", ("one",), "Apache-2.0", "tests")
