"""A world drawn from a seed: speakers on a map, in areas, with voices, and negative-binomial errors.

Every world has the same groups, each a known part of the speakers, whether it matters or not:

- ``rectangle``: who lives in a box along the axes of the map; ``rotated``: in a box turned by ``angle`` degrees;
- ``attribute``: who lives in an area whose attribute is low;
- ``voice``: who has the first of ``n_voices`` kinds of voices;
- ``noise``: who records in the street; ``null``: a random draw.

``effects`` multiplies the error rate of a group's members; where it is empty nothing matters (a null world of the
same shape). Groups are drawn independently of each other, but for those that depend on the place. S is the number of
speakers, n that of utterances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Floats, Integers

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import Table

SPLITS = ("discover", "select", "measure")
GROUPS = ("rectangle", "rotated", "attribute", "voice", "noise", "null")
MAP = ((30.0, 48.0), (-118.0, -82.0))
"""Latitudes and longitudes of the map, a box in degrees."""
_DEPTH = 3
"""Letters of an area code; each halves both sides of the map, so that a shorter code is a larger area."""


@dataclass(frozen=True, slots=True)
class World:
    """How a world is drawn. The defaults are those of a study of 600 people, 10 % of whose words are wrong."""

    n_speakers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict.fromkeys(SPLITS, 200)))
    """Speakers of each split; no speaker is in two."""
    n_utterances: int = 10
    """Of each speaker."""
    words: float = 16.0
    """Mean words of an utterance, at least one each."""
    rate: float = 0.10
    """Errors a word of a speaker in no group, before a speaker's own difficulty."""
    speaker_cv: float = 0.5
    """Coefficient of variation of a speaker's own difficulty, a gamma variate of mean 1."""
    utterance_cv: float = 0.5
    """The same of an utterance within a speaker."""
    share: float = 0.15
    """Expected share of the speakers in each group; areas come whole, so that of ``attribute`` is near it."""
    effects: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Factor on the error rate of a group's members; groups not named have 1."""
    angle: float = 45.0
    """Degrees by which ``rotated`` is turned."""
    n_voices: int = 6
    dim: int = 16
    """Numbers in an embedding."""
    voice_spread: float = 0.5
    """Distance of a speaker from the kind's center, which has length 1; an utterance strays by half of it again."""

    def __post_init__(self) -> None:
        for name in self.effects:
            if name not in GROUPS:
                raise InputError(f"no group {name!r}", where="world", fix=f"groups are: {', '.join(GROUPS)}")
        if set(self.n_speakers) != set(SPLITS) or min(self.n_speakers.values()) < 1:
            what = f"speakers by split are {dict(self.n_speakers)}"
            raise InputError(what, where="world", fix=f"give {', '.join(SPLITS)} one speaker or more each")
        if not 0 < self.share < 0.5 or min((self.rate, *self.effects.values())) <= 0:
            raise InputError("a share, rate or effect out of range", where="world", fix="share in (0, 0.5), others > 0")
        if self.n_utterances < 1 or self.words < 1 or self.n_voices < 2 or self.dim < 2:
            raise InputError("too few utterances, words, voices or dimensions", where="world", fix="1, 1, 2, 2 or more")

    def with_effects(self, effects: Mapping[str, float]) -> World:
        """A world of the same shape in which these groups matter."""
        return replace(self, effects=MappingProxyType(dict(effects)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """One world: a table of rows by split, and who is in each group: booleans (S,) in the order of ``speakers``."""

    tables: Mapping[str, Table]
    speakers: Mapping[str, tuple[str, ...]]
    members: Mapping[str, Mapping[str, np.ndarray]]


def draw(world: World, seed: int) -> Drawn:
    """The world of this seed. Tables have the columns that cohort finders see.

    Errors have a generator of their own: worlds that differ in ``effects`` alone have the same people and words.
    """
    rng, error_rng = np.random.default_rng(seed).spawn(2)
    plan = _Plan.draw(world, rng)
    tables, speakers, members = {}, {}, {}
    for split in SPLITS:
        people = _people(world, plan, world.n_speakers[split], rng)
        names = tuple(f"{split}-{i:05d}" for i in range(world.n_speakers[split]))
        tables[split] = _rows(world, people, names, split, rng, error_rng)
        speakers[split], members[split] = names, people.members
    return Drawn(tables, speakers, members)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all splits of a world share: where the boxes lie, what areas are like, how kinds of voices sound."""

    rectangle: tuple[Floats, Floats]
    rotated: tuple[Floats, Floats]
    attributes: Floats
    low_areas: np.ndarray
    voices: Floats

    @classmethod
    def draw(cls, world: World, rng: Generator) -> _Plan:
        n_areas = 4**_DEPTH
        large = np.repeat(rng.normal(size=n_areas // 4), 4)
        attributes = np.round(40.0 + 10.0 * (0.8 * large + 0.6 * rng.normal(size=n_areas)), 2)
        n_low = max(1, round(world.share * n_areas))
        low = attributes <= np.sort(attributes)[n_low - 1]
        centers = rng.normal(size=(world.n_voices, world.dim))
        centers /= np.linalg.norm(centers, axis=1, keepdims=True)
        return cls(_box(world.share, 0.0, rng), _box(world.share, world.angle, rng), attributes, low, centers)


def _box(share: float, angle: float, rng: Generator) -> tuple[Floats, Floats]:
    """Center and half sides of a box of this share of a unit square, wholly inside it where its angle allows that."""
    stretch = math.exp(rng.uniform(-0.4, 0.4))
    half = 0.5 * math.sqrt(share) * np.array([stretch, 1.0 / stretch])
    cos, sin = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    reach = np.minimum(np.array([cos * half[0] + sin * half[1], sin * half[0] + cos * half[1]]), 0.5)
    return rng.uniform(reach, 1.0 - reach), half


def _inside(box: tuple[Floats, Floats], angle: float, places: Floats) -> np.ndarray:
    """Whether each place (S, 2) of the unit square lies in the box turned by ``angle`` about its center."""
    center, half = box
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = (places - center) @ np.array([[cos, -sin], [sin, cos]])
    return np.asarray((np.abs(turned) <= half).all(axis=1))


@dataclass(frozen=True, slots=True)
class _People:
    places: Floats
    areas: Integers
    attributes: Floats
    voices: Floats
    members: Mapping[str, np.ndarray]


def _people(world: World, plan: _Plan, n: int, rng: Generator) -> _People:
    places = rng.random((n, 2))
    areas = _area_of(places)
    others = (1.0 - world.share) / (world.n_voices - 1)
    kinds = rng.choice(world.n_voices, size=n, p=[world.share, *[others] * (world.n_voices - 1)])
    spread = world.voice_spread / math.sqrt(world.dim)
    members = {
        "rectangle": _inside(plan.rectangle, 0.0, places),
        "rotated": _inside(plan.rotated, world.angle, places),
        "attribute": plan.low_areas[areas],
        "voice": kinds == 0,
        "noise": rng.random(n) < world.share,
        "null": rng.random(n) < world.share,
    }
    return _People(
        places=places,
        areas=areas,
        attributes=plan.attributes[areas],
        voices=plan.voices[kinds] + spread * rng.normal(size=(n, world.dim)),
        members=members,
    )


def _area_of(places: Floats) -> Integers:
    """The area (S,) of places (S, 2) in the unit square: one digit of base four for each halving of both sides."""
    cells = np.minimum((places * 2**_DEPTH).astype(np.int64), 2**_DEPTH - 1)
    found = np.zeros(len(places), dtype=np.int64)
    for bit in reversed(range(_DEPTH)):
        found = 4 * found + 2 * (cells[:, 0] >> bit & 1) + (cells[:, 1] >> bit & 1)
    return found


AREA_CODES = tuple("".join("abcd"[i // 4**d % 4] for d in reversed(range(_DEPTH))) for i in range(4**_DEPTH))


def _rows(
    world: World, people: _People, names: tuple[str, ...], split: str, rng: Generator, error_rng: Generator
) -> Table:
    """The utterances of a split, n = S times ``n_utterances``, speaker by speaker."""
    who = np.repeat(np.arange(len(names)), world.n_utterances)
    n = len(who)
    words = 1 + rng.poisson(world.words - 1.0, size=n)
    noisy = people.members["noise"][who]
    (lat0, lat1), (lon0, lon1) = MAP
    spread = 0.5 * world.voice_spread / math.sqrt(world.dim)
    voices = people.voices[who] + spread * rng.standard_normal((n, world.dim), dtype=np.float32)
    speaker = pa.DictionaryArray.from_arrays(who.astype(np.int32), [*names]).cast(pa.string())
    area = pa.DictionaryArray.from_arrays(people.areas[who].astype(np.int32), [*AREA_CODES]).cast(pa.string())
    return pa.table(
        {
            "utterance_id": [f"{split}-{i}" for i in range(n)],
            "speaker": speaker,
            "split": pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), [split]).cast(pa.string()),
            "errors": _errors(world, people, who, words, error_rng),
            "words": words,
            "lat": (lat0 + (lat1 - lat0) * people.places[:, 0])[who],
            "lon": (lon0 + (lon1 - lon0) * people.places[:, 1])[who],
            "area_code": area,
            "area_attribute": people.attributes[who],
            "embedding": pa.FixedSizeListArray.from_arrays(voices.astype(np.float32).ravel(), world.dim),
            "snr_db": np.where(noisy, rng.uniform(8.0, 14.0, n), rng.uniform(24.0, 36.0, n)),
            "duration_s": words / 2.5,
        }
    )


def _errors(world: World, people: _People, who: Integers, words: Integers, rng: Generator) -> Integers:
    """Errors (n,): Poisson around gamma difficulties of speaker and utterance, hence negative binomial."""
    rates = world.rate * _difficulty(world.speaker_cv, len(people.places), rng)
    for group, effect in world.effects.items():
        rates = rates * np.where(people.members[group], effect, 1.0)
    return rng.poisson(rates[who] * words * _difficulty(world.utterance_cv, len(who), rng))


def _difficulty(cv: float, n: int, rng: Generator) -> Floats:
    """Gamma variates (n,) of mean 1 with this coefficient of variation; all 1 where it is 0."""
    return rng.gamma(cv**-2, cv**2, size=n) if cv > 0 else np.ones(n)
