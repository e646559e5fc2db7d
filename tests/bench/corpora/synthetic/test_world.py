from __future__ import annotations

from collections import Counter
from itertools import combinations
from statistics import fmean

import pytest

from earmark.bench.corpora.synthetic import world
from earmark.bench.corpora.synthetic.plan import utterances
from earmark.bench.corpora.synthetic.recipes import DIGITS, QUICK, SMALL, WORLD
from earmark.bench.corpora.synthetic.voices import ACCENTS

PLANTED = ("region", "voice_group", "noise_group")


@pytest.fixture(scope="module", params=[QUICK, SMALL, DIGITS, WORLD], ids=["quick", "small", "digits", "world"])
def people(request: pytest.FixtureRequest) -> list[world.Speaker]:
    return world.speakers(request.param)


def test_sizes_are_what_the_metrics_need() -> None:
    quick, large = world.speakers(QUICK), world.speakers(WORLD)
    assert len(quick) >= 160
    assert len(large) >= 600
    assert sum(s.split == "measure" for s in quick) >= 40
    assert sum(s.split == "measure" for s in large) >= 200


@pytest.mark.parametrize("split", ["train", "dev", "discover", "select", "measure"])
def test_planted_columns_are_crossed_in_every_split(people: list[world.Speaker], split: str) -> None:
    here = [s for s in people if s.split == split]
    for one, two in combinations(PLANTED, 2):
        counts = Counter((getattr(s, one), getattr(s, two)) for s in here)
        levels = {"region": 4, "voice_group": 4, "noise_group": 2}
        assert len(counts) == levels[one] * levels[two]
        assert len(set(counts.values())) == 1, f"{one} and {two} are not balanced in {split}"


def test_measure_of_the_world_is_crossed_three_ways() -> None:
    here = [s for s in world.speakers(WORLD) if s.split == "measure"]
    counts = Counter((s.region, s.voice_group, s.noise_group) for s in here)
    assert set(counts.values()) == {len(here) // world.BLOCK}


def test_no_two_speakers_are_the_same(people: list[world.Speaker]) -> None:
    assert len({(s.accent, s.variant, s.rate, s.pitch) for s in people}) == len(people)
    assert len({s.name for s in people}) == len(people)


def test_accents_are_spread_evenly(people: list[world.Speaker]) -> None:
    for split in ("train", "measure"):
        counts = Counter(s.accent for s in people if s.split == split)
        assert len(counts) == len(ACCENTS)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_null_groups_are_equal_and_stratified_by_accent(people: list[world.Speaker]) -> None:
    for split in ("train", "measure"):
        here = [s for s in people if s.split == split]
        counts = Counter(s.null_group for s in here)
        assert len(counts) == 4
        assert max(counts.values()) - min(counts.values()) <= 1
        by_accent = Counter((s.accent, s.null_group) for s in here)
        for accent in ACCENTS:
            share = [by_accent[accent, group] for group in world.NULL_GROUPS]
            assert max(share) - min(share) <= 2


def test_speakers_stand_in_their_region(people: list[world.Speaker]) -> None:
    for s in people:
        nearest = min(
            world.REGIONS, key=lambda r: (s.lat - world.REGIONS[r][0]) ** 2 + (s.lon - world.REGIONS[r][1]) ** 2
        )
        assert nearest == s.region
    assert all(len({s.region for s in people if s.area_code == code}) == 1 for code in {s.area_code for s in people})


def test_voice_groups_share_no_variant() -> None:
    groups = world.voice_groups()
    assert sum(len(names) for names in groups.values()) == len({name for names in groups.values() for name in names})


def test_hard_groups_get_the_difficulty_and_null_groups_none() -> None:
    spoken = utterances(QUICK)

    def mean(key: str, value: str, of: str) -> float:
        return fmean(float(getattr(u, of)) for u in spoken if getattr(u.speaker, key) == value)

    assert mean("region", "north", "rate") / mean("region", "south", "rate") == pytest.approx(1.25, rel=0.05)
    assert mean("region", "north", "room") > 2 * mean("region", "south", "room")
    assert {u.speaker.voice_group for u in spoken if u.dull} == {"g0"}
    assert mean("noise_group", "quiet", "snr_db") - mean("noise_group", "street", "snr_db") == pytest.approx(19, abs=1)
    rates = [mean("null_group", group, "rate") for group in world.NULL_GROUPS]
    assert max(rates) / min(rates) < 1.1


def test_where_nothing_is_planted_everybody_is_heard_alike() -> None:
    spoken = utterances(DIGITS)

    def extremes(of: str, *groups: str) -> tuple[float, float]:
        found = [float(getattr(u, of)) for u in spoken if {u.speaker.region, u.speaker.noise_group} & {*groups}]
        return min(found), max(found)

    assert not any(u.dull for u in spoken)
    assert extremes("snr_db", "street") == extremes("snr_db", "quiet") == (24.0, 36.0)
    assert extremes("room", "north") == extremes("room", "south") == (0.0, 0.15)
    assert {u.task for u in spoken} == {"digits"}
    assert {len(u.text.split()) for u in spoken} == {3, 4, 5, 6}
