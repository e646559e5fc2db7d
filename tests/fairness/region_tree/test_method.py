"""Regions end to end, from rows to cohorts."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from earmark.bench.api import InputError, Json, Table
from earmark.bench.worlds import World, draw
from earmark.fairness.region_tree.method import build

PLANTED = World(effects={"rectangle": 4.0}, share=0.25)


def rows(split: str, places: list[tuple[float | None, float | None]], rates: list[float], *, n: int = 3) -> Table:
    """``n`` utterances of 100 words by each speaker."""
    return pa.table({
        "speaker": [f"{split}{i}" for i in range(len(places)) for _ in range(n)],
        "errors": [round(100 * rate) for rate in rates for _ in range(n)],
        "words": [100] * (n * len(places)),
        "lat": pa.array([lat for lat, _ in places for _ in range(n)], pa.float64()),
        "lon": pa.array([lon for _, lon in places for _ in range(n)], pa.float64()),
    })  # fmt: skip


def north_and_south(split: str, n: int = 40) -> Table:
    rng = np.random.default_rng(len(split))
    places = [(float(lat), float(lon)) for lat, lon in rng.uniform(-9, 9, (n, 2))]
    return rows(split, places, [0.4 if lat > 0 else 0.1 for lat, _ in places])


def scheme_of(discover: Table, select: Table, options: dict[str, Json] | None = None) -> tuple[dict, list[str]]:
    scheme = build(options=options or {}).fit(discover, select, seed=0)
    found = scheme.to_json()
    assert isinstance(found, dict)
    return found, [region["name"] for region in found["regions"]]


def test_a_border_is_found_and_named() -> None:
    found, names = scheme_of(north_and_south("discover"), north_and_south("select"))
    border = found["regions"][0]["lat"][0]
    assert -1.0 < border < 1.0
    assert names == [f"r1: lat >= {border:g}", f"r2: lat < {border:g}"]
    assert found["regions"][0]["discover_rate"] == 0.4


def test_rows_without_a_place_are_a_cohort_and_are_counted() -> None:
    discover = pa.concat_tables([north_and_south("discover"), rows("x", [(None, 1.0), (2.0, None)], [0.9, 0.9])])
    scheme = build(options={}).fit(discover, north_and_south("select"), seed=0)
    lost = rows("y", [(None, 3.0), (5.0, 5.0), (-5.0, None), (float("nan"), 0.0)], [0.1] * 4, n=1)
    cohorts = scheme.assign(lost)
    assert [c.split(":")[0] for c in cohorts] == ["no place", "r1", "no place", "no place"]
    assert "2 speakers have no place" in scheme.about["remarks"]


def test_the_same_after_a_round_trip_and_with_the_same_seed() -> None:
    drawn = draw(PLANTED, 3).tables
    finder = build(options={})
    scheme = finder.fit(drawn["discover"], drawn["select"], seed=5)
    text = json.dumps(scheme.to_json(), allow_nan=False)
    assert json.dumps(build(options={}).fit(drawn["discover"], drawn["select"], seed=5).to_json()) == text
    loaded = finder.load(json.loads(text))
    cohorts = scheme.assign(drawn["measure"])
    assert loaded.assign(drawn["measure"]) == cohorts
    assert json.dumps(loaded.to_json()) == text
    assert len(set(cohorts)) > 1


def test_a_planted_rectangle_is_recovered_and_a_turned_one_roughly() -> None:
    """Jaccard index of bottom region and planted speakers, at 800 speakers a split and four times the errors."""
    shape = World(share=0.2, n_speakers={"discover": 800, "select": 800, "measure": 800})
    overlaps = {}
    for truth in ("rectangle", "rotated"):
        drawn = draw(shape.with_effects({truth: 4.0}), 1)
        scheme = build(options={}).fit(drawn.tables["discover"], drawn.tables["select"], seed=0)
        cohorts = scheme.assign(drawn.tables["measure"])[:: shape.n_utterances]
        hard = np.array([cohort.startswith("r1:") for cohort in cohorts])
        planted = drawn.members["measure"][truth]
        overlaps[truth] = (hard & planted).sum() / (hard | planted).sum()
    assert overlaps["rectangle"] > 0.8
    assert 0.3 < overlaps["rotated"] < overlaps["rectangle"]


def test_alike_rates_everywhere_are_one_region() -> None:
    places = [(float(i), float(i % 7)) for i in range(50)]
    found, names = scheme_of(rows("discover", places, [0.2] * 50), rows("select", places, [0.2] * 50))
    assert names == ["everywhere"]
    assert "one region" in found["about"]["remarks"][-1]


def test_a_speaker_counts_once_however_much_they_say() -> None:
    """Nine speakers a side are under the floor of ten, though each says 10,000 words."""
    places = [(5.0, 0.0)] * 9 + [(-5.0, 0.0)] * 9
    rates = [0.5] * 9 + [0.1] * 9
    many = rows("discover", places, rates, n=100)
    assert scheme_of(many, rows("select", places, rates))[1] == ["everywhere"]
    assert len(scheme_of(many, rows("select", places, rates), {"min_speakers": 9})[1]) == 2


def test_who_moves_lives_where_most_of_their_words_were_said() -> None:
    from earmark.fairness.region_tree.method import placed
    from earmark.models._blocks.finding import read_speakers

    table = pa.table({
        "speaker": ["a", "a", "a", "b", None], "errors": [1, 1, 1, 2, 9], "words": [10, 30, 25, 5, 99],
        "lat": [1.0, 2.0, 1.0, 3.0, 9.0], "lon": [0.0, 0.0, 0.0, 4.0, 9.0],
    })  # fmt: skip
    found = placed(read_speakers(table, "discover", plugin="test"), table)
    assert (found.lat.tolist(), found.lon.tolist()) == ([1.0, 3.0], [0.0, 4.0])
    assert (found.errors.tolist(), found.words.tolist()) == ([3.0, 2.0], [65.0, 5.0])


def test_two_speakers_or_none_named_are_one_region_and_it_says_so() -> None:
    two = [(5.0, 0.0), (-5.0, 0.0)]
    assert scheme_of(rows("discover", two, [0.9, 0.1]), rows("select", two, [0.9, 0.1]))[1] == ["everywhere"]
    unnamed = [
        table.set_column(0, "speaker", pa.nulls(len(table), pa.string()))
        for table in (north_and_south("discover"), north_and_south("select"))
    ]
    found, names = scheme_of(*unnamed)
    assert names == ["everywhere"]
    assert "no row names a speaker" in found["about"]["remarks"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d, s: (d.slice(0, 0), s), "discover has no rows"),
        (lambda d, s: (d, s.slice(0, 0)), "select has no rows"),
        (lambda d, s: (d, d), "is in discover and in select"),
        (lambda d, s: (d.drop_columns(["lat"]), s), "no column 'lat'"),
        (lambda d, s: (d.set_column(3, "lat", pa.nulls(len(d), pa.float64())), s), "discover has a place"),
        (lambda d, s: (d.set_column(3, "lat", pa.array([91.0] * len(d))), s), "lat is 91"),
        (lambda d, s: (d.set_column(1, "errors", pa.array([-1] * len(d))), s), "negative"),
    ],
)  # fmt: skip
def test_bad_rows_are_refused(change: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options={}).fit(*change(north_and_south("discover"), north_and_south("select")), seed=0)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"min_speaker": 3}, "did you mean 'min_speakers'"),
        ({"criterion": "gini"}, "abs_diff, sse, poisson"),
        ({"alpha": 0.0}, "alpha"),
        ({"max_depth": 2.5}, "type int"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options=options)


@pytest.mark.parametrize("scheme", [{}, None, {"finder": "region_tree", "version": 1, "regions": [{"name": "r1"}]}])
def test_what_is_no_scheme_is_refused(scheme: Json) -> None:
    with pytest.raises(InputError, match="scheme"):
        build(options={}).load(scheme)


@pytest.mark.slow
def test_a_null_world_gives_one_region_in_95_percent_of_200_draws() -> None:
    world, finder = World(), build(options={})
    whole = 0
    for seed in range(200):
        tables = draw(world, seed).tables
        whole += len(finder.fit(tables["discover"], tables["select"], seed=seed).regions) == 1
    assert whole >= 190
