"""The people of a synthetic corpus: voice, place on a map, and the truths planted in them.

Difficulty is planted through three columns, crossed within every split so that no two of them are confounded:

- ``region`` (north, east, south, west): speakers of **north** talk 1.25 times as fast, in echoing rooms;
- ``voice_group`` (four sets of voice variants): voices of **g0** are dull, high frequencies fall away above 730 Hz;
- ``noise_group`` (quiet, street): **street** records at 8 to 14 dB signal-to-noise ratio, quiet at 24 to 36 dB.

``null_group`` (n0 to n3) is a random draw, stratified by accent and variant, and makes no difference to anything.
Accent, pitch and rate are drawn independently of all four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.synthetic.grammar import TASKS
from earmark.bench.corpora.synthetic.voices import ACCENTS, variants

Split = Literal["train", "dev", "discover", "select", "measure"]
REGIONS: Mapping[str, tuple[float, float]] = {
    "north": (50.0, 0.0), "east": (45.0, 6.0), "south": (40.0, 0.0), "west": (45.0, -6.0),
}  # fmt: skip
"""Centers of the regions, degrees latitude and longitude; each reaches 2.4 degrees to every side."""
REACH = 2.4
HARD_REGION, HARD_VOICE_GROUP, HARD_NOISE_GROUP = "north", "g0", "street"
VOICE_GROUPS = ("g0", "g1", "g2", "g3")
NOISE_GROUPS = ("quiet", "street")
NULL_GROUPS = ("n0", "n1", "n2", "n3")
BLOCK = len(REGIONS) * len(VOICE_GROUPS) * len(NOISE_GROUPS)
"""Speakers in a full crossing (32); half a block is balanced in every pair of columns too."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A synthetic corpus: speakers by split, and utterances a speaker and task in train and elsewhere.

    ``n_digits`` are the fewest and the most words of a string of digits. Where nothing is ``planted``, the groups are
    there and make no difference: everybody is heard as the easiest of them are.
    """

    name: str
    n_speakers: Mapping[Split, int]
    n_train: int
    n_other: int
    seed: int = 0
    tasks: Sequence[str] = TASKS
    n_digits: Sequence[int] = (2, 4)
    planted: bool = True


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody. ``rate`` in words a minute, ``pitch`` and ``pitch_range`` on espeak-ng's scale of 0 to 100."""

    name: str
    split: Split
    accent: str
    variant: str
    gender: str | None
    rate: int
    pitch: int
    pitch_range: int
    region: str
    lat: float
    lon: float
    area_code: str
    voice_group: str
    noise_group: str
    null_group: str

    def columns(self) -> dict[str, str]:
        """What the corpus tells of them beside the schema's columns."""
        return {
            "region": self.region, "voice_group": self.voice_group, "noise_group": self.noise_group,
            "null_group": self.null_group, "variant": self.variant, "base_rate": str(self.rate),
            "base_pitch": str(self.pitch),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cast:
    """A speaker before null groups and name."""

    split: Split
    place: int
    accent: str
    region: str
    voice_group: str
    noise_group: str
    variant: str


def speakers(recipe: Recipe) -> list[Speaker]:
    """Everybody in a recipe, in the order of the splits."""
    draws = Draws(f"{recipe.name}|{recipe.seed}|speakers")
    people: list[Speaker] = []
    taken: set[tuple[object, ...]] = set()
    for split, n in recipe.n_speakers.items():
        cast = _cast(split, n, draws)
        nulls = _nulls(cast, draws)
        people += [_speaker(f"s{len(people) + i:04d}", c, nulls[i], draws, taken) for i, c in enumerate(cast)]
    return people


def voice_groups() -> dict[str, list[str]]:
    """The variants of each voice group: four sets alike in size and in the genders they hold."""
    ordered = sorted(variants(), key=lambda name: (variants()[name] or "", name))
    return {group: ordered[index :: len(VOICE_GROUPS)] for index, group in enumerate(VOICE_GROUPS)}


def _crossing() -> list[tuple[str, str, str]]:
    """Every region, voice group and noise group together, such that each half of the list is balanced in pairs."""
    halves: tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]] = ([], [])
    for r, region in enumerate(REGIONS):
        for v, voice_group in enumerate(VOICE_GROUPS):
            for z, noise_group in enumerate(NOISE_GROUPS):
                halves[(r + v + z) % 2].append((region, voice_group, noise_group))
    return [*halves[0], *halves[1]]


def _cast(split: Split, n: int, draws: Draws) -> list[_Cast]:
    crossing = _crossing()
    accents = draws.shuffled([list(ACCENTS)[i % len(ACCENTS)] for i in range(n)], split, "accents")
    decks = {g: draws.shuffled(names, split, "variants", g) for g, names in voice_groups().items()}
    dealt = dict.fromkeys(VOICE_GROUPS, 0)
    cast = []
    for place, accent in enumerate(accents):
        region, voice_group, noise_group = crossing[place % BLOCK]
        deck = decks[voice_group]
        variant = deck[dealt[voice_group] % len(deck)]
        dealt[voice_group] += 1
        cast.append(_Cast(split, place, accent, region, voice_group, noise_group, variant))
    return cast


def _nulls(cast: list[_Cast], draws: Draws) -> list[str]:
    """A null group for each: neighbours in (accent, variant, chance) get the four groups in shuffled order."""
    order = sorted(cast, key=lambda c: (c.accent, c.variant, draws.unit(c.split, "null", c.place)))
    found = {}
    for index, someone in enumerate(order):
        block, place = divmod(index, len(NULL_GROUPS))
        found[someone.place] = draws.shuffled(NULL_GROUPS, someone.split, "nulls", block)[place]
    return [found[someone.place] for someone in cast]


def _speaker(name: str, cast: _Cast, null_group: str, draws: Draws, taken: set[tuple[object, ...]]) -> Speaker:
    rate, pitch = _unique(name, cast, draws, taken)
    center_lat, center_lon = REGIONS[cast.region]
    lat = round(center_lat + draws.between(-REACH, REACH, name, "lat"), 4)
    lon = round(center_lon + draws.between(-REACH, REACH, name, "lon"), 4)
    quarter = 2 * (lat >= center_lat) + (lon >= center_lon)
    return Speaker(
        name=name, split=cast.split, accent=cast.accent, variant=cast.variant, gender=variants()[cast.variant],
        rate=rate, pitch=pitch, pitch_range=draws.whole(35, 65, name, "range"), region=cast.region, lat=lat, lon=lon,
        area_code=f"{list(REGIONS).index(cast.region) + 1}{quarter}", voice_group=cast.voice_group,
        noise_group=cast.noise_group, null_group=null_group,
    )  # fmt: skip


def _unique(name: str, cast: _Cast, draws: Draws, taken: set[tuple[object, ...]]) -> tuple[int, int]:
    """Rate and pitch that nobody else of the same accent and variant has."""
    for attempt in range(1000):
        rate, pitch = draws.whole(155, 200, name, "rate", attempt), draws.whole(20, 80, name, "pitch", attempt)
        if (cast.accent, cast.variant, rate, pitch) not in taken:
            break
    taken.add((cast.accent, cast.variant, rate, pitch))
    return rate, pitch
