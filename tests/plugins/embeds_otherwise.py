"""A stream says something else than embed() of the same samples: the last second alone."""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from fakes.embedder import TinyEmbedder, TinyStream

from earmark.bench.api import Array, ModelSpec


class Stream(TinyStream):
    def embedding(self) -> Array | None:
        self.made = self.made[-40:]
        return super().embedding()


class Embedder(TinyEmbedder):
    def embedding_stream(self) -> Stream:
        return Stream(self)


def build(preset: str, **how: Any) -> Embedder:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how["seed"])
        return Embedder().eval()


SPEC = ModelSpec("embeds_otherwise", "verification", "embeds_otherwise:build", ("one",), "Apache-2.0", "tests")
