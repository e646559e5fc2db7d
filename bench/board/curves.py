"""Curves of one cell from its observations: service time along the stream, gates, and trade-offs of verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from earmark.bench.metrics.det import det_curve, deviate
from earmark.bench.tables import read_table

N_BINS = 20
MAX_POINTS = 200
MAX_TRIALS = 200
TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Rates that the axes of a DET plot name."""
Floats = NDArray[np.float64]


def service(folder: Path) -> dict[str, Any]:
    """Service time by position in the stream: rows of position (s), median and 95th percentile (ms), and n chunks."""
    chunks = read_table(folder, "chunks")
    chunks = chunks.filter(pc.and_(chunks["timed"], pc.greater(chunks["n_samples"], 0)))
    if not chunks.num_rows:
        return {}
    due, taken = (chunks[name].to_numpy() for name in ("due_s", "service_s"))
    edges = np.linspace(0.0, float(due.max()) * (1 + 1e-9), min(N_BINS, len(np.unique(due))) + 1)
    places = np.digitize(due, edges) - 1
    rows = []
    for place in np.unique(places):
        ms = 1000.0 * taken[places == place]
        middle = (edges[place] + edges[place + 1]) / 2
        rows.append([round(float(x), 4) for x in (middle, np.median(ms), np.quantile(ms, 0.95))] + [len(ms)])
    return {"service": rows}


def gates(folder: Path) -> dict[str, Any]:
    """Mean of each reading of the streams, by name, with its least and largest: ``[name, mean, min, max, n]``."""
    probes = read_table(folder, "probes")
    if not probes.num_rows:
        return {}
    found = probes.group_by("name").aggregate([("value", f) for f in ("mean", "min", "max", "count")])
    rows = [
        [row["name"], *(round(row[f"value_{f}"], 6) for f in ("mean", "min", "max")), row["value_count"]]
        for row in found.sort_by("name").to_pylist()
    ]
    return {"gates": rows}


def trial_curves(folder: Path) -> dict[str, Any]:
    """Detection error trade-off and score histograms of the trials, and those that went most wrong."""
    trials = read_table(folder, "trials")
    score, target = trials["score"].to_numpy(), trials["target"].to_numpy(zero_copy_only=False)
    if not len(score) or target.all() or not target.any():
        return {}
    edges = np.linspace(score.min(), score.max(), 61)
    counts = [np.histogram(score[side], edges)[0] / side.sum() for side in (target, ~target)]
    names = zip(edges[:-1], edges[1:], *counts, strict=True)
    return {
        "det": det(score[target], score[~target]),
        "det_ticks": [[rate, round(float(at), 4)] for rate, at in zip(TICKS, deviate(TICKS), strict=True)],
        "scores": [[round(float(x), 6) for x in row] for row in names],
        "trials": _hardest(trials),
        "n_trials": [int(target.sum()), int((~target).sum())],
    }


def det(targets: Floats, nontargets: Floats) -> list[list[float]]:
    """Points of the trade-off: false accept rate, miss rate, threshold, and the deviates of both rates."""
    curve = det_curve(targets, nontargets, at_most=MAX_POINTS)
    columns = (curve.p_fa, curve.p_miss, curve.thresholds, deviate(curve.p_fa), deviate(curve.p_miss))
    return [[round(float(value), 6) for value in row] for row in zip(*columns, strict=True)]


def _hardest(trials: pa.Table) -> list[list[Any]]:
    """Targets with the lowest scores and non-targets with the highest: enrolled, tested, whether the same, score."""
    columns = ["enroll_id", "test_id", "enroll_speaker", "test_speaker", "target", "score"]
    sides = (
        trials.filter(trials["target"]).sort_by([("score", "ascending")]),
        trials.filter(pc.invert(trials["target"])).sort_by([("score", "descending")]),
    )
    rows = pa.concat_tables([side.slice(0, MAX_TRIALS // 2) for side in sides]).select(columns).to_pylist()
    return [[*list(row.values())[:-1], round(row["score"], 6)] for row in rows]
