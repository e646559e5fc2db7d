"""The recipes of docs/nightly.md are what their readers take: cron, systemd, a workflow; and call what there is."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"


def environments() -> set[str]:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    return {name.removeprefix("testenv:") for name in tox.sections() if name.startswith("testenv:")}


@pytest.mark.parametrize("path", sorted(RECIPES.iterdir()), ids=lambda path: path.name)
def test_a_recipe_calls_an_environment_that_there_is(path: Path) -> None:
    called = re.findall(r"run -q -e (\S+)", path.read_text(encoding="utf-8"))
    assert path.suffix == ".timer" or called == ["nightly"]
    assert set(called) <= environments()
    assert path.name in (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8") or path.suffix == ".timer"


def test_tox_has_the_environments_that_the_pages_name() -> None:
    named = {"lint", "types", "imports", "docs", "bench", "nightly", "nightly-sim", "board", "gpu", "tests"}
    assert named <= environments()


def test_the_crontab_has_five_fields_and_a_command() -> None:
    lines = (RECIPES / "earmark.crontab").read_text(encoding="utf-8").splitlines()
    jobs = [line for line in lines if line and not line.startswith("#") and "=" not in line.split()[0]]
    (job,) = jobs
    *fields, command = job.split(maxsplit=5)
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    assert all(field == "*" or low <= int(field) <= high for field, (low, high) in zip(fields, ranges, strict=True))
    assert "%" not in command, "cron takes it for a line break"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(RECIPES / name, encoding="utf-8")
    return parser


def test_the_timer_starts_the_service_of_its_name() -> None:
    timer, service = unit("earmark-nightly.timer"), unit("earmark-nightly.service")
    assert "Unit" not in timer["Timer"]
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["ExecStart"].startswith("/")


@pytest.mark.slow
def test_systemd_understands_them(tmp_path: Path) -> None:
    """Paths that only a server has are put in the place of ones that this machine has."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT TESTED: no systemd-analyze here")
    for path in RECIPES.glob("earmark-nightly.*"):
        text = path.read_text(encoding="utf-8").replace("/srv/earmark/.venv/bin/tox", "/bin/true")
        (tmp_path / path.name).write_text(text.replace("/usr/bin/git", "/bin/true"), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "earmark-nightly" in line]
    assert about_ours == [], done.stderr
    when = unit("earmark-nightly.timer")["Timer"]["OnCalendar"]
    assert subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, check=False).returncode == 0


def test_the_workflow_is_one() -> None:
    found = yaml.safe_load((RECIPES / "nightly.yml").read_text(encoding="utf-8"))
    assert found[True]["schedule"] == [{"cron": "30 1 * * *"}]  # YAML 1.1 reads "on" as true
    (job,) = found["jobs"].values()
    assert all("uses" in step or "run" in step for step in job["steps"])
    assert found["concurrency"]["cancel-in-progress"] is False
