"""The asv suite over several commits: a worktree and an interpreter with an editable install for each.

``python -m earmark.bench.speed.commits REVISION... [--only REGEX] [--results DIR] [--publish]``. The benchmarks are
those of this checkout for every commit. The interpreters share this one's packages, so that a commit costs seconds,
not gigabytes; a commit that needs other packages needs ``feed.py`` with an interpreter of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earmark.bench import provenance
from earmark.bench.speed import worktrees
from earmark.bench.speed.feed import ROOT, feed, write_config

WORK = ROOT / ".asv" / "commits"


def over(revisions: list[str], *, machine: str, results: Path, only: str | None) -> Iterator[Path]:
    """Run the suite for each revision, in the order given; yields the result files."""
    for revision in revisions:
        sha = worktrees.git(ROOT, "rev-parse", "--verify", f"{revision}^{{commit}}")
        with installed(sha) as python:
            yield from feed(sha, machine=machine, python=str(python), results=results, only=only)


@contextmanager
def installed(sha: str) -> Iterator[Path]:
    """Yields an interpreter that imports this commit's code; its worktree, and one left by a kill, are gone then."""
    tree, place = WORK / sha[:8] / "tree", WORK / sha[:8] / "venv"
    worktrees.make(ROOT, tree, sha)
    try:
        venv.create(place, clear=True, with_pip=False, symlinks=True)
        python = place / "bin" / "python"
        _share_packages(python)
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
        subprocess.run([*install, "--no-build-isolation", "--editable", str(tree)], check=True)
        yield python
    finally:
        worktrees.forget(ROOT, tree)


def _share_packages(python: Path) -> None:
    """Let an interpreter see our packages, behind its own."""
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    (Path(own) / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


def publish(results: Path) -> Path:
    """Build asv's site from what is stored; it loads its scripts from the net, unlike the board."""
    subprocess.run(
        [sys.executable, "-m", "asv", "publish", "--config", str(write_config(results))], check=True, cwd=ROOT
    )
    return ROOT / ".asv" / "html" / "index.html"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revisions", nargs="*", metavar="REVISION")
    parser.add_argument("--machine", default=provenance.host().id)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--only")
    parser.add_argument("--publish", action="store_true")
    told = parser.parse_args()
    for path in over(told.revisions, machine=told.machine, results=told.results, only=told.only):
        print(path)
    if told.publish:
        print(publish(told.results))


if __name__ == "__main__":
    main()
