"""What a second of audio costs each cell, and how much slower one became than the machine did.

From night to night a machine differs from itself: it is busy, warm, or moved. So the least of the passes counts, the
device's own time before wall time, and of every change the median change of all *other* models is taken off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import pyarrow.compute as pc

from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

LEAST_OTHERS = 3
"""Other models from which the drift of a machine can be told; with fewer it is taken for none."""

LEAST_PASSES = 2
"""Of the timed recordings: cells that are heard once, such as those that cohorts are found by, are not timed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for a second of audio: wall time and the device's own, each of the best pass.

    ``noise`` is by which share the device's worst pass was above its best one.
    """

    wall: float
    device: float | None
    noise: float


@dataclass(frozen=True, slots=True)
class Step:
    """From one night to another, as ratios with the machine's drift taken off: 1 is no change."""

    wall: float
    device: float | None
    noise: float
    drift: float
    """Of what is judged: of the device's time where it is known, of wall time where it isn't."""


def cost_of(folder: RunFolder, cell: str) -> Cost | None:
    """The cost of a cell's timed recordings; None where nothing was timed, or once: one pass tells nothing of noise."""
    chunks = read_table(folder.observations(cell), "chunks")
    chunks = chunks.filter(chunks["timed"]).select(["utterance_id", "pass", "due_s", "service_s", "device_s"])
    if pc.count_distinct(chunks["pass"]).as_py() < LEAST_PASSES:
        return None
    audio = chunks.group_by("utterance_id").aggregate([("due_s", "max")])
    audio_s = pc.sum(audio["due_s_max"]).as_py()
    sums = chunks.group_by("pass").aggregate([("service_s", "sum"), ("device_s", "sum")])
    wall = min(sums["service_s_sum"].to_pylist()) / audio_s
    devices = [x / audio_s for x in sums["device_s_sum"].to_pylist() if x]
    if not devices or chunks["device_s"].null_count:
        return Cost(wall, None, 0.0)
    return Cost(wall, min(devices), max(devices) / min(devices) - 1)


def steps(before: Mapping[str, Cost], after: Mapping[str, Cost], model_of: Mapping[str, str]) -> dict[str, Step]:
    """By label, how much slower each became; ``model_of`` gives the plugin of a label."""
    labels = sorted(before.keys() & after.keys())
    walls = {label: after[label].wall / before[label].wall for label in labels}
    devices = {label: _ratio(before[label].device, after[label].device) for label in labels}
    known = {label: ratio for label, ratio in devices.items() if ratio is not None}
    found = {}
    for label in labels:
        wall_drift, device_drift = (_drift(label, ratios, model_of) for ratios in (walls, known))
        noise = max(before[label].noise, after[label].noise)
        own = known[label] / device_drift if label in known else None
        drift = wall_drift if own is None else device_drift
        found[label] = Step(walls[label] / wall_drift, own, noise, drift)
    return found


def _ratio(before: float | None, after: float | None) -> float | None:
    return after / before if before and after else None


def _drift(label: str, ratios: Mapping[str, float], model_of: Mapping[str, str]) -> float:
    """How much slower everything else became: the median over other models of each one's median."""
    others: dict[str, list[float]] = defaultdict(list)
    for other, ratio in ratios.items():
        if model_of[other] != model_of[label]:
            others[model_of[other]].append(ratio)
    return median(map(median, others.values())) if len(others) >= LEAST_OTHERS else 1.0


def slower(steps_: Mapping[str, Step], tolerance: float) -> tuple[list[str], list[str]]:
    """Labels that became slower by more than ``tolerance`` and the noise; and those of which only a clock says so.

    Where a device tells its own time, wall time alone is no proof: something else may have been in the way.
    """
    sure, doubtful = [], []
    for label, step in steps_.items():
        least = 1 + tolerance + step.noise
        if step.device is not None and step.device > least:
            sure.append(label)
        elif step.wall > least:
            doubtful.append(label)
    return sure, doubtful


def common_drift(steps_: Sequence[Step]) -> float:
    """The median of all drifts, for the report."""
    return median(step.drift for step in steps_) if steps_ else 1.0
