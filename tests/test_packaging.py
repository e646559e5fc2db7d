"""What is shipped: the links are folders, and a wheel holds every module, plugin folder and data file."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import earmark

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = {"speed"}


@pytest.mark.parametrize("name", ["bench", "models", "fairness"])
def test_links_are_folders(name: str) -> None:
    link = ROOT / "src" / "earmark" / name
    assert link.is_symlink()
    assert link.is_dir()
    assert link.resolve() == ROOT / name


def test_public_names_exist() -> None:
    assert all(hasattr(earmark, name) for name in earmark.__all__)
    public = {name for name in vars(earmark) if not name.startswith("_") and name != "annotations"}
    assert public - set(earmark.__all__) <= {"bench", "models", "fairness"}


def test_the_notice_names_the_libraries_of_the_page() -> None:
    said = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert all(name in said for name in ("TanStack Virtual (MIT)", "Vega, Vega-Lite and Vega-Embed (BSD 3-clause)"))


def sources() -> set[str]:
    """Files that must be in the wheel, by their path there."""
    found = {path for name in ("bench", "models", "fairness") for path in (ROOT / name).rglob("*")}
    kinds = {".py", ".toml", ".json", ".html", ".css", ".js", ".txt"}
    shipped = {p.relative_to(ROOT) for p in found if p.suffix in kinds and "__pycache__" not in p.parts}
    return {f"earmark/{p.as_posix()}" for p in shipped if not NOT_SHIPPED & set(p.parts)}


@pytest.mark.slow
def test_a_wheel_holds_everything_under_one_name(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert sources() <= names
    board = {name.removeprefix("earmark/bench/board/") for name in names if name.startswith("earmark/bench/board/")}
    assert {"site/index.html", "vendor/tanstack-virtual.LICENSE.txt", "vendor/vega.LICENSES.txt"} <= board
    assert "published.toml" in board
    assert {name.split("/")[0] for name in names} == {"earmark", f"earmark-{earmark.__version__}.dist-info"}
    assert not any(NOT_SHIPPED & set(name.split("/")) for name in names)
