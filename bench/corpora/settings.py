"""What a corpus folder may say of itself in ``corpus.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path

from earmark.bench.api import InputError
from earmark.bench.corpora.splits import ALL_SHARES

SETTINGS = "corpus.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Name (default: the folder's), license (default: what the rows say), source and revision of a corpus folder.

    ``split = "ignore"`` divides by speaker whatever the rows say; the default, ``"manifest"``, keeps their splits.
    ``shares``, the parts of the speakers that each split gets, does so too.
    """

    name: str
    license: str = ""
    source: str = ""
    revision: str | None = None
    split: str = "manifest"
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def divides(self) -> bool:
        """Whether speakers are divided anew, whatever the rows say."""
        return bool(self.shares) or self.split == "ignore"


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
    if key == "shares":
        return _check_shares(value, path)
    if not isinstance(value, str):
        raise InputError(f"{key} is not text", where=str(path), fix="put it in quotes")
    if key == "split" and value not in ("manifest", "ignore"):
        raise InputError(f"split is {value!r}", where=str(path), fix='use "manifest" or "ignore"')
    return None


def _check_shares(value: object, path: Path) -> None:
    example = ", ".join(f"{name} = {share}" for name, share in ALL_SHARES.items())
    fix = f"write shares = {{ {example} }}: parts of the speakers that come to 1"
    if not isinstance(value, dict) or not value:
        raise InputError("shares is not a table", where=str(path), fix=fix)
    for name, share in value.items():
        if name not in ALL_SHARES:
            raise InputError(f"shares names an unknown split {name!r}", where=str(path), fix=fix)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"the share of {name} is {share!r}", where=str(path), fix=fix)
    if abs(sum(value.values()) - 1) > 1e-6:
        raise InputError(f"shares come to {sum(value.values()):g}", where=str(path), fix=fix)
