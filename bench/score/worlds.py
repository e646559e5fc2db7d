"""What came of a finder's draws in worlds without audio, as rows: power where something was planted, else alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.metrics.statistics import Interval
from earmark.bench.planning import Planned
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table
from earmark.bench.worlds.power import OVERLAP, binomial_interval

FOUND = ("jaccard", "recall", "precision")
"""Means over the draws in which speakers were divided."""

Draws = Sequence[Mapping[str, Any]]


def score_worlds(sheet: Sheet, planned: Planned, folder: Path) -> Iterator[Measurement]:
    """The rows of one cell, over its draws."""
    draws = read_table(folder, "draws").to_pylist()
    assert planned.world is not None
    yield from _planted(sheet, draws) if planned.world["planted"] else _null(sheet, draws)


def _planted(sheet: Sheet, draws: Draws) -> Iterator[Measurement]:
    hits = [draw["bottom_flagged"] and draw["jaccard"] >= OVERLAP for draw in draws]
    yield _share(sheet, "finder_power", hits)
    divided = [draw for draw in draws if draw["bottom"] is not None]
    for name in FOUND:
        metric = f"finder_{name}"
        if not divided:
            yield sheet.missing(metric, "insufficient", "in no draw were speakers divided", n=0, n_unit="draws")
            continue
        mean = sum(draw[name] for draw in divided) / len(divided)
        coverage = len(divided) / len(draws)
        yield sheet.row(metric, mean, n=len(divided), n_unit="draws", coverage=coverage)


def _null(sheet: Sheet, draws: Draws) -> Iterator[Measurement]:
    yield _share(sheet, "finder_false_alarms", [draw["n_flagged"] > 0 for draw in draws])
    yield _share(sheet, "finder_false_alarms_uncorrected", [draw["n_flagged_uncorrected"] > 0 for draw in draws])
    yield _share(sheet, "finder_divides_null", [draw["n_cohorts"] > 1 for draw in draws])


def _share(sheet: Sheet, metric: str, happened: Sequence[bool]) -> Measurement:
    hits, n = sum(happened), len(happened)
    low, high = binomial_interval(hits, n)
    return sheet.row(
        metric, hits / n, numerator=hits, denominator=n, n=n, n_unit="draws",
        interval=Interval(low, high, 0.95, "Clopper-Pearson"),
    )  # fmt: skip
