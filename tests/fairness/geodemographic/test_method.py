"""Cohorts of areas end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from earmark.bench.api import InputError, Json, Table
from earmark.bench.worlds import World, draw
from earmark.fairness.geodemographic.method import build

PLANTED = World(effects={"attribute": 2.5}, share=0.2)
HARD_STATES = ("CA", "OR")
ZIPS = {"CA": ("94107", "90001", "92101"), "OR": ("97201", "97401"), "NY": ("10001", "14201", "12201"),
        "FL": ("33101", "32801"), "TX": ("75201", "77001", "78701")}  # fmt: skip


def rows(split: str, codes: list[str | None], rates: list[float], attributes: list[str | None] | None = None) -> Table:
    """Two utterances of 100 words by each speaker."""
    n = len(codes)
    return pa.table({
        "speaker": [f"{split}{i // 2:03d}" for i in range(2 * n)],
        "errors": [round(100 * rates[i // 2]) + i % 2 for i in range(2 * n)],
        "words": [100] * (2 * n),
        "area_code": pa.array([codes[i // 2] for i in range(2 * n)], pa.string()),
        "area_attribute": pa.array([attributes[i // 2] if attributes else None for i in range(2 * n)], pa.string()),
    })  # fmt: skip


def zips(split: str) -> Table:
    """Six speakers in each ZIP code; those of the West Coast are badly served."""
    codes = [(state, code) for state, found in ZIPS.items() for code in found for _ in range(6)]
    return rows(split, [c for _, c in codes], [0.3 if state in HARD_STATES else 0.1 for state, _ in codes])


def test_the_planted_areas_are_the_bottom_cohort() -> None:
    drawn = draw(PLANTED, 4)
    scheme = build(options={}).fit(drawn.tables["discover"], drawn.tables["select"], seed=0)
    cohorts = scheme.assign(drawn.tables["measure"])[:: PLANTED.n_utterances]
    bottom, others, _ = scheme.names
    assert set(cohorts) == {bottom, others}
    assert bottom.startswith("area_attribute < ")
    assert all(name.endswith("(area-level proxy)") for name in (bottom, others))
    truth = drawn.members["measure"]["attribute"]
    assert (np.array([c == bottom for c in cohorts]) == truth).mean() > 0.95
    found = scheme.to_json()
    assert isinstance(found, dict)
    assert found["label"] == "area-level proxy"
    assert [unit["unit"] for unit in found["about"]["units"]] == ["prefix2", "prefix1"]  # type: ignore[index, call-overload, union-attr]


def test_the_same_after_a_round_trip_and_with_the_same_seed() -> None:
    tables = draw(PLANTED, 4).tables
    scheme = build(options={}).fit(tables["discover"], tables["select"], seed=5)
    text = json.dumps(scheme.to_json(), allow_nan=False)
    assert json.dumps(build(options={}).fit(tables["discover"], tables["select"], seed=5).to_json()) == text
    loaded = build(options={}).load(json.loads(text))
    assert loaded.assign(tables["measure"]) == scheme.assign(tables["measure"])
    assert json.dumps(loaded.to_json()) == text


def test_where_nothing_matters_there_is_one_cohort() -> None:
    tables = draw(PLANTED.with_effects({}), 4).tables
    scheme = build(options={}).fit(tables["discover"], tables["select"], seed=0)
    assert set(scheme.assign(tables["measure"])) == {"all areas (area-level proxy)"}
    assert "one cohort" in scheme.about["remarks"][-1]  # type: ignore[index]


@pytest.mark.slow
def test_zip_codes_are_divided_by_state_or_coordinate_and_survive_in_larger_areas() -> None:
    pytest.importorskip("zipcodes")
    scheme = build(options={"attribute": "state"}).fit(zips("discover"), zips("select"), seed=0)
    assert scheme.names[:2] == ("state: CA, OR (area-level proxy)", "state: others (area-level proxy)")
    survival = {unit["unit"]: unit["survives"] for unit in scheme.about["units"]}  # type: ignore[index, call-overload, union-attr]
    assert survival == {"zip3": True, "state": True}
    cohorts = scheme.assign(rows("measure", ["95814", "10002-1234", "09000", "abc", None], [0.1] * 5))[::2]
    assert cohorts == [*scheme.names[:2], *["no area attribute"] * 3]  # 09000 is AE, which discover did not have
    west = build(options={"attribute": "lon"}).fit(zips("discover"), zips("select"), seed=0)
    assert west.names[0].startswith("lon < -1")


def test_a_bottom_cohort_made_of_scattered_areas_does_not_survive() -> None:
    """Every second area is hard; any two neighbors together are alike."""
    codes = [f"{c}{d}" for c in "abcdefgh" for d in "01" for _ in range(5)]
    parts = [rows(s, codes, [0.3 if c[1] == "1" else 0.1 for c in codes], [c[1] for c in codes]) for s in ("d", "s")]
    (unit,) = build(options={}).fit(*parts, seed=0).about["units"]  # type: ignore[misc]
    assert (unit["unit"], unit["survives"], unit["tested"]) == ("prefix1", False, None)  # type: ignore[index, call-overload]


def test_a_users_table(tmp_path: Path) -> None:
    path = tmp_path / "areas.csv"
    lines = [
        "area_code,income,land",
        *(f"{c},{20 + 5 * i},{'hill' if i % 2 else 'town'}" for i, c in enumerate("abcdefghijkl")),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    codes = [c for c in "abcdefghijkl" for _ in range(5)]
    parts = [rows(s, codes, [0.3 if c < "d" else 0.1 for c in codes]) for s in ("d", "s")]
    finder = build(options={"table": str(path)})
    scheme = finder.fit(*parts, seed=0)
    assert scheme.names[:2] == ("income < 32.5 (area-level proxy)", "income >= 32.5 (area-level proxy)")
    assert scheme.assign(rows("m", ["a", "l", "z", None], [0.1] * 4))[::2] == [
        *scheme.names[:2],
        *["no area attribute"] * 2,
    ]
    assert finder.load(scheme.to_json()).assign(parts[0]) == scheme.assign(parts[0])
    path.write_text("\n".join(lines).replace("a,20", "a,99"), encoding="utf-8")
    with pytest.raises(InputError, match="'income' are not those"):
        build(options={"table": str(path)}).load(scheme.to_json())
    with pytest.raises(InputError, match="did you mean 'income'"):
        build(options={"table": str(path), "attribute": "incom"}).fit(*parts, seed=0)
    with pytest.raises(InputError, match="they have 'q', the table 'a'"):
        finder.fit(rows("d", ["q", "q"], [0.1, 0.2]), rows("s", ["q"], [0.1]), seed=0)


def test_an_attribute_without_a_code_will_do() -> None:
    land = ["hill"] * 30 + ["town"] * 30
    parts = [rows(s, [None] * 60, [0.3] * 30 + [0.1] * 30, land) for s in ("d", "s")]
    scheme = build(options={}).fit(*parts, seed=0)
    assert scheme.names[0] == "area_attribute: hill (area-level proxy)"
    assert scheme.about["tested"]["dealt"] == "speakers"  # type: ignore[index, call-overload]
    assert scheme.about["units"] == []


def test_two_speakers_one_area_or_no_names_are_one_cohort() -> None:
    for codes, land in ((["a", "b"], ["x", "y"]), (["a"] * 60, ["x"] * 60)):
        rates = [0.9, 0.1] * (len(codes) // 2)
        scheme = build(options={}).fit(rows("d", codes, rates, land), rows("s", codes, rates, land), seed=0)
        assert set(scheme.names) == {"all areas (area-level proxy)", "no area attribute"}
    unnamed = [rows(s, codes, rates, land).set_column(0, "speaker", pa.nulls(120, pa.string())) for s in "ds"]
    assert "no row names a speaker" in build(options={}).fit(*unnamed, seed=0).about["remarks"][0]  # type: ignore[index]


def test_bad_rows_are_refused() -> None:
    good = rows("d", ["a", "b"], [0.1, 0.2], ["x", "y"])
    with pytest.raises(InputError, match="select has no rows"):
        build(options={}).fit(good, good.slice(0, 0), seed=0)
    with pytest.raises(InputError, match="give table"):
        build(options={}).fit(rows("d", ["a"], [0.1]), rows("s", ["a"], [0.1]), seed=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tabel": "x"}, "did you mean 'table'"),
        ({"source": "census"}, "auto, rows, table, zipcodes"),
        ({"source": "table"}, "without a table"),
        ({"criterion": "best"}, "abs_diff"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options=options)


@pytest.mark.parametrize("scheme", [{}, {"finder": "geodemographic", "version": 1, "rule": {"label": "x"}}])
def test_what_is_no_scheme_is_refused(scheme: Json) -> None:
    with pytest.raises(InputError, match="scheme"):
        build(options={}).load(scheme)
