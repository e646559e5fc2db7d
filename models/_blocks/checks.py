"""What every model checks before it works: preset, options, samples. Each error says what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from earmark.bench.api import InputError, Json

if TYPE_CHECKING:
    from earmark.bench.api import Lengths, Samples

T = TypeVar("T")


def check_preset(preset: str, presets: Sequence[str], *, plugin: str) -> None:
    """Nothing, or InputError naming the presets there are."""
    if preset not in presets:
        raise InputError(f"no preset {preset!r}", where=plugin, fix=f"choose one of: {', '.join(presets)}")


def read_options(kind: type[T], options: Mapping[str, Json], *, plugin: str) -> T:
    """An instance of ``kind``, a dataclass of options that all have defaults, with ``options`` filled in.

    Fields are ``bool``, ``int``, ``float``, ``str`` or ``tuple[str, ...]``, which takes a list of names or one name; an
    int is taken for a float, a bool for nothing else. Ranges are the business of ``kind.__post_init__``, through
    :func:`in_range`.

    Raises:
        InputError: an unknown key (naming the nearest) or a value of the wrong type.
    """
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in options:
        if key not in names:
            near = get_close_matches(key, names, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"options are: {', '.join(names) or 'none'}"
            raise InputError(f"unknown option {key!r}", where=plugin, fix=fix)
    return kind(**{key: _typed(key, value, types[key], plugin) for key, value in options.items()})


def _typed(key: str, value: Json, wanted: Any, plugin: str) -> Any:
    if wanted == tuple[str, ...]:
        names = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"option {key!r} is {value!r}", where=plugin, fix="give a list of names")
        return tuple(names)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted or (type(value) is float and not math.isfinite(value)):
        raise InputError(f"option {key!r} is {value!r}", where=plugin, fix=f"give a value of type {wanted.__name__}")
    return value


def in_range(key: str, value: float, low: float, high: float, *, plugin: str) -> None:
    """Nothing, or InputError unless low <= value <= high."""
    if not low <= value <= high:
        raise InputError(f"option {key!r} is {value}", where=plugin, fix=f"give {low:g} to {high:g}")


def valid_rows(samples: Samples, lengths: Lengths, *, plugin: str) -> list[Samples]:
    """Recordings padded at the end, (n, t) with (n,) valid samples, each without its padding.

    Raises:
        InputError: a length outside 1 to t, or a valid sample that is NaN or infinite.
    """
    if samples.ndim != 2 or len(samples) != len(lengths):
        what = f"samples {samples.shape} with {len(lengths)} lengths"
        raise InputError(what, where=plugin, fix="give (n, t) samples and (n,) lengths")
    for n in lengths:
        if not 1 <= n <= samples.shape[1]:
            what = f"length {n} of {samples.shape[1]} samples"
            raise InputError(what, where=plugin, fix="give 1 to t valid samples")
    rows = [row[:n] for row, n in zip(samples, lengths, strict=True)]
    for row in rows:
        check_samples(row, plugin=plugin)
    return rows


def check_samples(samples: Samples, *, plugin: str) -> None:
    """Nothing, or InputError where ``samples`` is not a float32 row of finite values (n,)."""
    import numpy as np

    if samples.ndim != 1 or samples.dtype != np.float32:
        what = f"samples are {samples.dtype} of shape {samples.shape}"
        raise InputError(what, where=plugin, fix="give one channel of float32 samples, shape (n,)")
    if not np.isfinite(samples).all():
        first = int(np.argmin(np.isfinite(samples)))
        raise InputError(f"sample {first} is {samples[first]}", where=plugin, fix="give finite samples in [-1, 1]")
