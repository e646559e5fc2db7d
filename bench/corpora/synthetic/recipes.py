"""The synthetic corpora, and what identifies a build of one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from earmark.bench.corpora.schema import canonical
from earmark.bench.corpora.synthetic.world import Recipe

SMALL = Recipe(
    name="synthetic-small",
    n_speakers={"train": 16, "dev": 16, "discover": 16, "select": 16, "measure": 48},
    n_train=9,
    n_other=3,
)
"""112 speakers, 48 of them in measure, 1,296 utterances: for engines that come trained, made in seconds."""

QUICK = Recipe(
    name="synthetic",
    n_speakers={"train": 224, "dev": 16, "discover": 32, "select": 16, "measure": 48},
    n_train=5,
    n_other=3,
)
"""336 speakers, 48 of them in measure, 4,368 utterances: for suites that take minutes."""

WORLD = Recipe(
    name="synthetic-world",
    n_speakers={"train": 224, "dev": 32, "discover": 112, "select": 64, "measure": 224},
    n_train=6,
    n_other=4,
)
"""656 speakers, 224 of them in measure: the audio world in which fairness methods are tried end to end."""

DIGITS = Recipe(
    name="synthetic-digits",
    n_speakers={"train": 224, "dev": 16, "discover": 32, "select": 16, "measure": 48},
    n_train=14,
    n_other=8,
    tasks=("digits",),
    n_digits=(3, 6),
    planted=False,
)
"""336 speakers, 48 of them in measure, 4,032 strings of three to six digits, all heard well: what learns soonest."""

_MAKERS = (
    "acoustics.py", "draws.py", "engine.py", "espeak.py", "grammar.py", "plan.py", "voices.json", "voices.py",
    "worker.py", "world.py", "../conditions.py",
)  # fmt: skip
EXPECTED_FILE = Path(__file__).with_name("expected.json")


def engine_version() -> str:
    return version("espeakng-loader")


def recipe_digest(recipe: Recipe) -> str:
    """Names a build: the recipe, the engine, the code and tables that make it. A change to these makes a new one."""
    total = hashlib.sha256(canonical([asdict(recipe), engine_version()]).encode())
    here = Path(__file__).parent
    for name in _MAKERS:
        total.update(hashlib.sha256((here / name).read_bytes()).digest())
    return total.hexdigest()[:16]


def expected_fingerprint(recipe: Recipe) -> str | None:
    """The committed fingerprint of a recipe with this version of espeak-ng; None where none is known."""
    known: dict[str, dict[str, str]] = json.loads(EXPECTED_FILE.read_text(encoding="utf-8"))
    return known.get(recipe.name, {}).get(engine_version())
