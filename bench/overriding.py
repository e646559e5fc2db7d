"""Overrides of a suite from the command line: ``--set KEY=VALUE``."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Sequence
from typing import Any

from earmark.bench.api import InputError

OF_LEARNING = (
    "corpus", "exclude", "mixtures", "pieces", "preset", "recipe", "silence_s", "single_steps", "steps", "voices",
    "with",
)  # fmt: skip
"""Keys of ``[[train]]`` that mean nothing to a model that comes trained: set in the blocks that have a corpus."""


def apply(data: dict[str, Any], override: str, *, of_measuring: Container[str]) -> None:
    """Set what ``override`` says in the data of a suite's file; InputError says what is wrong with it.

    A key of ``of_measuring`` alone sets the default and unsets it in every ``[[measure]]`` block.
    """
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise InputError(f"--set {override!r} is not key=value", fix="write for instance --set passes=1")
    value = _value(text)
    head, *rest = key.split(".")
    if not rest and head in of_measuring:
        for block in data.get("measure", []):
            block.pop(head, None)
        head, rest = "defaults", [head]
    for target in _targets(data, head, rest):
        if not isinstance(target, dict):
            raise InputError(f"--set {override!r}: {head!r} has no keys", fix=f"write --set {head}=...")
        _assign(target, rest or [head], value)


def _targets(data: dict[str, Any], head: str, rest: Sequence[str]) -> list[Any]:
    """The blocks that an override is for: of learning, those that learn, where there are any."""
    blocks = data.setdefault(head, {}) if rest else data
    if not isinstance(blocks, list):
        return [blocks]
    if head == "train" and rest[0] in OF_LEARNING:
        return [block for block in blocks if "corpus" in block] or blocks
    return blocks


def _assign(target: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise InputError(f"--set: {part!r} has no keys", fix=f"set {part} itself")
    lists = ("device", "chunk_ms", "condition", "cohorts", "watch")
    wants_list = isinstance(target.get(path[-1]), list) or path[-1] in lists
    wants_list = wants_list or (len(path) > 1 and path[-2] == "exclude")
    target[path[-1]] = [value] if wants_list and not isinstance(value, list) else value


def _value(text: str) -> Any:
    """A TOML value; a bare word is a string, and a comma makes a list."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [_value(part) for part in text.split(",")] if "," in text else text
