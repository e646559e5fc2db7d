"""What a corpus folder may say of itself in ``corpus.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from earmark.bench.api import InputError

SETTINGS = "corpus.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Name (default: the folder's), license (default: what the rows say), source and revision of a corpus folder.

    ``split = "ignore"`` divides by speaker whatever the rows say; the default, ``"manifest"``, keeps their splits.
    """

    name: str
    license: str = ""
    source: str = ""
    revision: str | None = None
    split: str = "manifest"


def read_settings(folder: Path) -> Settings:
    """The folder's settings; an InputError names what ``corpus.toml`` says wrongly."""
    path = folder / SETTINGS
    if not path.is_file():
        return Settings(folder.resolve().name)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not valid TOML ({error})", where=str(path), fix="mend the file, or delete it") from error
    for key, value in said.items():
        _check(key, value, path)
    return Settings(**{"name": folder.resolve().name, **said})


def _check(key: str, value: object, path: Path) -> None:
    known = [field.name for field in fields(Settings)]
    if key not in known:
        near = get_close_matches(key, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
        raise InputError(f"unknown key {key!r}", where=str(path), fix=fix)
    if not isinstance(value, str):
        raise InputError(f"{key} is not text", where=str(path), fix="put it in quotes")
    if key == "split" and value not in ("manifest", "ignore"):
        raise InputError(f"split is {value!r}", where=str(path), fix='use "manifest" or "ignore"')
