"""Holds one saved pytest-benchmark file against another by ratios, so that two machines, or two hours, compare.

``python -m earmark.bench.speed.gate [BEFORE.json AFTER.json] [--tolerance 0.25]``: without files the last two below
``.benchmarks``. A kernel's time is divided by those of the references that ran beside it (``tests/benchmarks/
test_speed_reference.py``: products, reading memory, plain Python). Exit code 1 where a kernel got slower.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean

REFERENCE = "test_reference_"
STORED = Path(".benchmarks")
TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Kernel:
    """A benchmark in both files: how much longer it took, in the references' time."""

    name: str
    ratio: float

    def slower(self, tolerance: float) -> bool:
        return self.ratio > 1 + tolerance


def kernels(before: Mapping[str, float], after: Mapping[str, float]) -> list[Kernel]:
    """Every kernel of both, slowest first; the values are least seconds by name.

    Raises:
        ValueError: the two have no reference in common.
    """
    common = before.keys() & after.keys()
    references = [name for name in common if _is_reference(name)]
    if not references:
        raise ValueError("no reference was timed in both files: run the whole folder tests/benchmarks")
    machine = exp(fmean(log(after[name] / before[name]) for name in references))
    found = [Kernel(name, after[name] / before[name] / machine) for name in common if not _is_reference(name)]
    return sorted(found, key=lambda kernel: (-kernel.ratio, kernel.name))


def read(path: Path) -> dict[str, float]:
    """Least seconds of every benchmark of a saved file, by its full name."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {one["fullname"]: float(one["stats"]["min"]) for one in data["benchmarks"]}


def newest(folder: Path) -> list[Path]:
    """The two newest saved files, the older one first; fewer where there are fewer."""
    return sorted(folder.glob("*/*.json"), key=lambda path: path.stat().st_mtime)[-2:]


def lines(found: list[Kernel], missing: list[str], tolerance: float) -> Iterator[str]:
    """The report: what got slower, how the rest fared, what was timed before and isn't any more."""
    slow = [kernel for kernel in found if kernel.slower(tolerance)]
    yield from (f"SLOWER {kernel.ratio:6.2f} x  {kernel.name}" for kernel in slow)
    yield from (f"gone             {name}" for name in missing)
    if found:
        fastest = found[-1].ratio
        yield f"{len(slow)} of {len(found)} kernels slower by more than {tolerance:.0%}; the fastest {fastest:.2f} x"


def _is_reference(name: str) -> bool:
    return name.rpartition("::")[2].startswith(REFERENCE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    told = parser.parse_args()
    files = told.files or newest(STORED)
    if len(files) < 2:
        print("there is nothing to compare with yet")
        return 0
    try:
        before, after = (read(path) for path in files)
        found = kernels(before, after)
    except (OSError, ValueError, KeyError) as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
    print(f"{files[1]} against {files[0]}")
    for line in lines(found, sorted(before.keys() - after.keys()), told.tolerance):
        print(line)
    return int(any(kernel.slower(told.tolerance) for kernel in found))


if __name__ == "__main__":
    sys.exit(main())
