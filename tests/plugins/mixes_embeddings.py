"""Two recordings that are heard by turns become one."""

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.append(str(Path(__file__).parents[1]))

from fakes.embedder import TinyEmbedder, TinyStream

from earmark.bench.api import ModelSpec, Samples


class Stream(TinyStream):
    shared: ClassVar[list[Any]] = []

    def accept(self, samples: Samples) -> None:
        if not self.n_frames:
            self.shared.clear()
        super().accept(samples)
        self.shared.extend(self.made[len(self.shared) :])
        self.made = list(self.shared)


class Embedder(TinyEmbedder):
    def embedding_stream(self) -> Stream:
        return Stream(self)


def build(preset: str, **how: Any) -> Embedder:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how["seed"])
        return Embedder().eval()


SPEC = ModelSpec("mixes_embeddings", "verification", "mixes_embeddings:build", ("one",), "Apache-2.0", "tests")
