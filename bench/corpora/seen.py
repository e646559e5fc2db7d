"""Whether a model has met the recordings that it is measured on: declared training data, and speakers by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

UNDISCLOSED = "training_data_undisclosed"
SEEN = "seen_in_training"
NOT_TOLD = "undisclosed"
"""What a plugin puts in ``trained_on`` where nobody says what its weights have seen."""


def seen_flags(trained_on: Iterable[str], corpus: str, train_corpus: str | None) -> list[str]:
    """Flags of a cell whose model declares to have been trained on the corpus that it is measured on.

    Names count as one corpus up to case and a number at the end. A model that the suite trained on the train split
    of ``train_corpus`` is measured on other speakers of it, and isn't flagged.

    >>> seen_flags(["librispeech", "voxceleb1"], "voxceleb", None)
    ['seen_in_training:voxceleb1']
    """
    names = set(trained_on) - {train_corpus}
    found = [f"{SEEN}:{name}" for name in names if name != NOT_TOLD and _family(name) == _family(corpus)]
    return sorted([*found, *([UNDISCLOSED] if NOT_TOLD in names else [])])


def _family(name: str) -> str:
    return name.casefold().rstrip("0123456789").rstrip("-_")


def speaker_digest(name: str) -> str:
    """A speaker in ten hexadecimal digits: enough to see that two lists share one."""
    return hashlib.sha256(name.encode()).hexdigest()[:10]
