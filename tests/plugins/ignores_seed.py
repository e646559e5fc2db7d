"""Breaks repeatability: weights come from the global generator, whatever the seed."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, builder

from earmark.bench.api import ModelSpec


class IgnoresSeed(TinyRecognizer):
    def __init__(self, letters: Sequence[str]) -> None:
        torch.manual_seed(int(np.random.default_rng().integers(2**31)))
        super().__init__(letters)


build = builder(IgnoresSeed)
SPEC = ModelSpec("ignores_seed", "recognition", "ignores_seed:build", ("tiny",), "Apache-2.0", "tests")
