"""Runs the asv suite for one commit with one interpreter, and leaves results that can be published.

``python -m earmark.bench.speed.feed SHA --machine NAME [--python PATH] [--results DIR] [--only REGEX]``. The
interpreter is one into which that commit's code is installed; ``commits.py`` makes one for each of several commits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from earmark.bench.speed.scrub import scrub

ROOT = Path(__file__).resolve().parents[2]


def feed(
    sha: str, *, machine: str, python: str = sys.executable, results: Path = ROOT / "results", only: str | None = None
) -> list[Path]:
    """Run the suite; returns the scrubbed result files.

    Args:
        sha: the commit that the results are of.
        machine: what the machine is called in them; no host name is written.
        python: the interpreter that imports that commit's code.
        results: result tables to read; asv's own results go to ``asv`` below it.
        only: a regular expression of benchmarks; all of them without it.
    """
    config = write_config(results)
    asv = [sys.executable, "-m", "asv"]
    subprocess.run([*asv, "machine", "--machine", machine, "--yes"], check=True, cwd=ROOT, capture_output=True)
    command = [*asv, "run", "--config", str(config), "-E", f"existing:{python}", "--set-commit-hash", sha]
    command += ["--machine", machine, *(["--bench", only] if only else [])]
    environment = {**os.environ, "EARMARK_RESULTS": str(results), "EARMARK_COMMIT": sha, "OMP_NUM_THREADS": "1"}
    if python != sys.executable:  # that interpreter has its own earmark
        environment.pop("PYTHONPATH", None)
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return scrub(results / "asv")


def write_config(results: Path) -> Path:
    """The committed configuration with its paths made absolute and its results below ``results``."""
    told = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))
    told |= {name: str(ROOT / told[name]) for name in ("repo", "benchmark_dir", "env_dir", "html_dir")}
    told["results_dir"] = str(results.absolute() / "asv")
    path = ROOT / ".asv" / "asv.conf.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sha")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--only")
    told = parser.parse_args()
    for path in feed(told.sha, machine=told.machine, python=told.python, results=told.results, only=told.only):
        print(path)


if __name__ == "__main__":
    main()
