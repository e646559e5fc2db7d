"""The espeak-ng voices that synthetic speakers use: eight accents, and the variants that ``survey`` found usable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ACCENTS: Mapping[str, str] = {
    "en-us": "en-us", "en-us-nyc": "en-us-nyc", "en-gb": "en", "en-gb-scotland": "en-gb-scotland",
    "en-gb-x-rp": "en-gb-x-rp", "en-gb-x-gbclan": "en-gb-x-gbclan", "en-gb-x-gbcwmd": "en-gb-x-gbcwmd",
    "en-029": "en-029",
}  # fmt: skip
"""English accents by the name espeak-ng lists, with the name it loads them by."""
VOICES_FILE = Path(__file__).with_name("voices.json")


@cache
def variants() -> Mapping[str, str | None]:
    """Usable voice variants with the gender their file names, None where it names none."""
    found: dict[str, str | None] = json.loads(VOICES_FILE.read_text(encoding="utf-8"))["variants"]
    return found


def voice(accent: str, variant: str) -> str:
    """The name espeak-ng knows an accent and variant by."""
    return f"{ACCENTS[accent]}+{variant}"
