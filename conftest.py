"""Runs the fenced blocks of the Markdown pages: ``python`` and ``bash``; a block marked ``skip`` is only read."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser


class BashParser(CodeBlockParser):
    language = "bash"

    def evaluate(self, example: Example) -> None:
        """Run a block as it would be typed, with the commands of this environment."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", str(example.parsed)],
            env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


def _enter(namespace: dict[str, Any]) -> None:
    """Each page runs in a folder of its own."""
    namespace["_home"] = os.getcwd()
    os.chdir(tempfile.mkdtemp(prefix="earmark-docs-"))


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), BashParser()],
    patterns=["*.md"],
    excludes=["models/*/README.md", "fairness/*/README.md", "results/*"],
    setup=_enter,
    teardown=_leave,
).pytest()
