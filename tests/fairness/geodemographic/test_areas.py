"""Area codes, tables, ZIP codes and larger areas."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from earmark.bench.api import InputError, Unsupported
from earmark.fairness.geodemographic import areas


def test_a_table_by_attribute_and_area(tmp_path: Path) -> None:
    path = tmp_path / "areas.csv"
    path.write_text("\ufeffarea_code,income,land\n00501,41.5, hill \n00502,,town\n", encoding="utf-8")
    assert areas.read_table(str(path)) == {
        "income": {"00501": "41.5"}, "land": {"00501": "hill", "00502": "town"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("code,income\n1,2\n", "columns are: code, income"),
        ("area_code\n1\n", "columns are: area_code"),
        ("", "columns are: none"),
        ("area_code,income\n1,2\n1,3\n", "area '1' occurs twice"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "areas.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        areas.read_table(str(path))


def test_a_missing_or_binary_table(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\xd8")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(InputError, match="can't be read"):
            areas.read_table(str(tmp_path / name))


@pytest.mark.slow
def test_zip_codes_and_the_ones_without_a_place() -> None:
    """Holtsville is on Long Island; 09000 is a military code at 0, 0."""
    pytest.importorskip("zipcodes")
    assert areas.zip_place("00501") == pytest.approx((40.8, -73.0), abs=0.1)
    assert areas.zip_place("00501-1234") == areas.zip_place("00501")
    assert areas.zip_place("09000") is None
    assert areas.zip_place("00000") is None
    table = areas.zip_table()
    assert table["state"]["94107"] == "CA"
    assert "09000" not in table["lat"]
    assert not {code for code, lat in table["lat"].items() if float(lat) == 0.0}
    assert set(areas.ZIP_ATTRIBUTES) <= set(table)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object) -> object:
        if name == "zipcodes":
            raise ImportError(name)
        return real(name, *args)  # type: ignore[arg-type]

    areas._zips.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Unsupported, match=r"earmark\[geo\]"):
        areas.zip_table()
    assert [*areas.larger_units(["00501"])] == ["zip3"]


@pytest.mark.slow
def test_larger_units_of_zip_codes() -> None:
    pytest.importorskip("zipcodes")
    units = areas.larger_units(["94107", "00501-0001"])
    assert {name: unit("94107") for name, unit in units.items()} == {"zip3": "941", "state": "CA"}
    assert units["state"]("00501-0001") == "NY"


def test_larger_units_of_other_codes_are_shorter_codes() -> None:
    codes = ["AB12", "AB99", "AC12"]
    units = areas.larger_units(codes)
    assert {name: [unit(code) for code in codes] for name, unit in units.items()} == {
        "prefix3": ["AB1", "AB9", "AC1"], "prefix2": ["AB", "AB", "AC"],
    }  # fmt: skip
    assert areas.larger_units([]) == {}
    assert areas.larger_units(["7"]) == {}


def test_a_digest_is_of_the_values_not_of_their_order() -> None:
    assert areas.digest({"a": "1", "b": "2"}) == areas.digest({"b": "2", "a": "1"})
    assert areas.digest({"a": "1"}) != areas.digest({"a": "2"})


def test_numbers_or_categories() -> None:
    assert areas.as_numbers(["1", " 2.5", "1e3"]) == [1.0, 2.5, 1000.0]
    assert areas.as_numbers(["1", "hill"]) is None
    assert areas.as_numbers(["1", "nan"]) is None
