"""Finds Chromium for tests of the page; as a program, gets it from the system's packages where it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "apt-get install chromium, or python -m playwright install chromium, or set CHROMIUM to an executable"


def find() -> str | None:
    """The executable of a Chromium: ``$CHROMIUM``, one on the path, or Playwright's own; None where there is none."""
    named = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES)]
    return next((path for path in named if path and Path(path).is_file()), None) or _of_playwright()


def _of_playwright() -> str | None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as driver:
        path = driver.chromium.executable_path
    return path if Path(path).is_file() else None


def install() -> None:
    """Install Debian's Chromium if this is root on a Debian without one; otherwise say how to get it."""
    if find() is not None:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            "stdout": subprocess.DEVNULL,
            "check": False,
        }
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], **quiet)
    if find() is None:
        print(f"no Chromium: the tests of the page will be skipped. To run them: {HOW}")


if __name__ == "__main__":
    install()
