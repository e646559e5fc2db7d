"""Keeps every promise."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.recognizer import build

from earmark.bench.api import ModelSpec

SPEC = ModelSpec("honest", "recognition", "honest:build", ("tiny",), "Apache-2.0", "tests")
__all__ = ["SPEC", "build"]
