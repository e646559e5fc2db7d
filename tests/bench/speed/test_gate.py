"""The gate of kernels: a slower machine is no slower kernel."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gate
import pytest

BEFORE = {
    "f.py::test_reference_product": 1.0,
    "f.py::test_reference_read": 4.0,
    "f.py::test_a": 10.0,
    "f.py::test_b": 6.0,
}


def saved(path: Path, seconds: dict[str, float]) -> Path:
    rows = [{"fullname": name, "stats": {"min": value}} for name, value in seconds.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"benchmarks": rows}), encoding="utf-8")
    return path


def test_a_machine_twice_as_slow_changes_nothing() -> None:
    found = gate.kernels(BEFORE, {name: 2 * seconds for name, seconds in BEFORE.items()})
    assert [kernel.ratio for kernel in found] == pytest.approx([1.0, 1.0])


def test_a_kernel_is_slower_by_its_ratio_to_the_references() -> None:
    """Products take 2 times, reads 8 times as long: the machine 4 times. A kernel that takes 8 times is 2 x."""
    after = {"f.py::test_reference_product": 2.0, "f.py::test_reference_read": 32.0, "f.py::test_a": 80.0}
    (found,) = gate.kernels(BEFORE, after)
    assert (found.name, found.ratio) == ("f.py::test_a", pytest.approx(2.0))
    assert found.slower(0.25)


def test_without_a_reference_nothing_is_said() -> None:
    with pytest.raises(ValueError, match="no reference"):
        gate.kernels({"f.py::test_a": 1.0}, {"f.py::test_a": 1.0})


@pytest.mark.parametrize(("factor", "code"), [(1.2, 0), (1.3, 1)])
def test_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], factor: float, code: int
) -> None:
    after = {name: seconds for name, seconds in BEFORE.items() if name != "f.py::test_b"}
    after["f.py::test_a"] *= factor
    files = [saved(tmp_path / "1.json", BEFORE), saved(tmp_path / "2.json", after)]
    monkeypatch.setattr(sys, "argv", ["gate", *map(str, files)])
    assert gate.main() == code
    said = capsys.readouterr().out
    assert ("SLOWER   1.30 x  f.py::test_a" in said) == bool(code)
    assert "gone             f.py::test_b" in said


def test_with_one_saved_file_there_is_nothing_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / ".benchmarks" / "Linux" / "0001.json", BEFORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gate"])
    assert gate.main() == 0
