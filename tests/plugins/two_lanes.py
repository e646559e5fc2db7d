"""A conversation model that keeps every promise."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fakes.conversation import build

from earmark.bench.api import ModelSpec

SPEC = ModelSpec("two_lanes", "conversation", "two_lanes:build", ("tiny",), "Apache-2.0", "tests")
__all__ = ["SPEC", "build"]
