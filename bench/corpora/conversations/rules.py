"""What conversations are to be like: the settings in brackets behind the corpus's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast, get_args

from earmark.bench.api import InputError
from earmark.bench.registry import unknown

Style = Literal["published", "sparse", "libricss"]
SHORTEST_DELAY_S = 0.5
"""Of the published rules: the next turn starts no sooner after the start of the one before."""
LOUDEST_DB = 5.0
"""Of the published rules: a speaker's energy differs from that of the reference speaker by at most this."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``published`` turns always overlap the one before; ``sparse`` ones wait; ``libricss`` has its six conditions.

    ``max_turns``: so many at most, any number from 1 being equally likely. ``rooms``: share of conversations that are
    held in a room. ``silence_s``: what is left of the silence around the source's speech. ``limit_s``: what would be
    longer is drawn again. ``only``: ``column:value``, of the source those recordings alone that have this metadata.
    ``dev`` to ``measure``: how many are made of each split's speakers.
    """

    style: Style = "published"
    max_turns: int = 5
    rooms: float = 1.0
    silence_s: float = 0.05
    limit_s: float = 30.0
    only: str = ""
    seed: int = 0
    dev: int = 100
    discover: int = 0
    select: int = 0
    measure: int = 300

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> Rules:
        """Rules from a name's settings; an :class:`InputError` names the one that can't be."""
        known = {field.name: field for field in fields(cls)}
        for key in settings:
            if key not in known:
                raise unknown("setting of conversations", key, known)
        rules = cls(**{key: _value(key, text) for key, text in settings.items()})
        for key, (low, high) in _BOUNDS.items():
            if not low <= getattr(rules, key) <= high:
                what = f"{key}={getattr(rules, key)} is out of range"
                raise InputError(what, where="conversations", fix=f"give a number from {low} to {high}")
        if rules.style == "libricss" and rules.max_turns < 2:
            raise InputError("overlaps need two turns", where="conversations", fix="give max_turns=2 or more")
        return rules

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "max_turns": (1, 50), "rooms": (0.0, 1.0), "silence_s": (0.0, 5.0), "limit_s": (1.0, 3600.0),
    "dev": (0, 100_000), "discover": (0, 100_000), "select": (0, 100_000), "measure": (0, 100_000),
}  # fmt: skip


def _value(key: str, text: str) -> Any:
    if key == "style":
        if text not in get_args(Style):
            raise unknown("style of conversations", text, get_args(Style))
        return cast(Style, text)
    kind = type(getattr(Rules(), key))
    try:
        return kind(text)
    except ValueError as error:
        what = f"{key}={text} is no {'whole number' if kind is int else 'number'}"
        raise InputError(
            what, where="conversations", fix=f"write for instance {key}={getattr(Rules(), key)}"
        ) from error
