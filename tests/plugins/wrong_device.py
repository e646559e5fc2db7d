"""Breaks the device: one of its tensors lives elsewhere."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import TinyRecognizer, builder

from earmark.bench.api import ModelSpec


class WrongDevice(TinyRecognizer):
    def __init__(self, letters: Sequence[str]) -> None:
        super().__init__(letters)
        self.stray = torch.zeros(3, device="meta")


build = builder(WrongDevice)
SPEC = ModelSpec("wrong_device", "recognition", "wrong_device:build", ("tiny",), "Apache-2.0", "tests")
