"""From area codes to attributes and to larger areas: a user's table, or what is known of US ZIP codes.

ZIP codes are delivery routes, not polygons: their coordinates are points somewhere inside, and their edges move.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from earmark.bench.api import InputError, Unsupported

NAME = "geodemographic"
Attributes: TypeAlias = dict[str, dict[str, str]]
"""What is known of areas: attribute -> area code -> value, as text."""
ZIP = re.compile(r"\d{5}(-\d{4})?")
ZIP_ATTRIBUTES = ("state", "timezone", "lat", "lon")
"""Tried where none is named; ``county`` can be named."""


def read_table(path: str) -> Attributes:
    """The attributes in a CSV file with a column ``area_code``; empty cells are no value.

    Raises:
        InputError: no such file, no column ``area_code``, no other column, or a code that occurs twice.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"can't be read ({error})", where=path, fix="give a CSV file in UTF-8") from error
    columns = [name for name in (rows[0] if rows else {}) if name is not None]
    if "area_code" not in columns or len(columns) < 2:
        what = f"columns are: {', '.join(columns) or 'none'}"
        raise InputError(what, where=path, fix="give a row for each area with area_code and attributes")
    codes = [(row["area_code"] or "").strip() for row in rows]
    if twice := sorted(code for code, n in Counter(codes).items() if n > 1):
        raise InputError(f"area {twice[0]!r} occurs twice", where=path, fix="give each area once")
    return {
        name: {code: text for code, row in zip(codes, rows, strict=True) if (text := (row[name] or "").strip())}
        for name in columns
        if name != "area_code"
    }


def zip_table() -> Attributes:
    """State, county, time zone and coordinates of US ZIP codes, from the ``zipcodes`` package (MIT).

    Entries without a place have coordinates of 0 there, and none here. :class:`Unsupported` without the package.
    """
    places = {code: place for code, entry in _zips().items() if (place := _place(entry)) is not None}
    return {
        **{name: {code: e[name] for code, e in _zips().items() if e[name]} for name in ("state", "county", "timezone")},
        "lat": {code: repr(lat) for code, (lat, _) in places.items()},
        "lon": {code: repr(lon) for code, (_, lon) in places.items()},
    }


def zip_place(code: str) -> tuple[float, float] | None:
    """Latitude and longitude of a US ZIP code in degrees; None of one that is unknown or has no place."""
    entry = _zips().get(normal_zip(code))
    return None if entry is None else _place(entry)


def _place(entry: Mapping[str, str]) -> tuple[float, float] | None:
    lat, lon = float(entry["lat"] or 0.0), float(entry["long"] or 0.0)
    return (lat, lon) if lat or lon else None


@cache
def _zips() -> Mapping[str, Mapping[str, str]]:
    try:
        import zipcodes
    except ImportError:
        raise Unsupported("US ZIP codes need the package zipcodes: pip install 'earmark[geo]'") from None
    return {entry["zip_code"]: entry for entry in zipcodes.list_all()}  # type: ignore[no-untyped-call, unused-ignore]


def looks_like_zips(codes: Sequence[str]) -> bool:
    """Whether every code is five digits, with or without four more."""
    return bool(codes) and all(ZIP.fullmatch(code) for code in codes)


def normal_zip(code: str) -> str:
    """The five digits of a ZIP code: what the table knows it by.

    >>> normal_zip("00501-0001"), normal_zip("a12")
    ('00501', 'a12')
    """
    return code[:5] if ZIP.fullmatch(code) else code


def value_of(values: Mapping[str, str], code: str) -> str:
    """The value of an area, empty where it has none; ZIP codes may have four more digits than the table's."""
    return values.get(code) or values.get(normal_zip(code), "")


def digest(values: Mapping[str, str]) -> str:
    """SHA-256 of an attribute's values by area: the same areas with the same values give the same digest."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def as_numbers(texts: Sequence[str]) -> list[float] | None:
    """The values as numbers; None where one is not, and the attribute is a category."""
    try:
        found = [float(text) for text in texts]
    except ValueError:
        return None
    return found if all(math.isfinite(value) for value in found) else None


Coarser: TypeAlias = Callable[[str], str | None]
"""From an area code to that of the larger area around it."""


def larger_units(codes: Sequence[str]) -> dict[str, Coarser]:
    """Larger areas to run again on, smallest first: 3-digit ZIP and state, or the code less one letter and so on."""
    if looks_like_zips(codes):
        found: dict[str, Coarser] = {"zip3": lambda code: code[:3]}
        try:
            states = {code: entry["state"] for code, entry in _zips().items() if entry["state"]}
        except Unsupported:
            return found
        return {**found, "state": lambda code: states.get(normal_zip(code))}
    longest = max(map(len, codes), default=0)
    return {f"prefix{n}": _prefix(n) for n in range(longest - 1, 0, -1)[:3] if len({c[:n] for c in codes}) > 1}


def _prefix(n: int) -> Coarser:
    return lambda code: code[:n]
