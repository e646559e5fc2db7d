"""Its streams count half of their work."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from fakes.embedder import TinyEmbedder, TinyStream

from earmark.bench.api import ModelSpec


class Stream(TinyStream):
    def work(self) -> Mapping[str, int]:
        return {"encoder": super().work()["encoder"] // 2}


class Embedder(TinyEmbedder):
    def embedding_stream(self) -> Stream:
        return Stream(self)


def build(preset: str, **how: Any) -> Embedder:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how["seed"])
        return Embedder().eval()


SPEC = ModelSpec("hides_stream_work", "verification", "hides_stream_work:build", ("one",), "Apache-2.0", "tests")
