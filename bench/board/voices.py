"""Pictures of verification by cohort, of cells and of trainings: specifications that the page's own Vega-Lite shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.board import verification
from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.verification import eer_threshold
from earmark.bench.score.schemes import AUTO, Scheme, resolve
from earmark.bench.tables import read_table

MAX_SCHEMES = 4
_PICTURES = {"det": verification.det_curves, "scores": verification.score_histograms,
             "matches": verification.false_matches}  # fmt: skip


def pictures(folder: Path) -> dict[str, Any]:
    """By scheme the error trade-offs, score densities and false matches of its cohorts, where there are any."""
    table = read_table(folder, "trials")
    drawn = {}
    for scheme in _schemes(folder):
        trials = verification.trials_of(table, scheme.cohort_of)
        found = dict(_drawn(trials))
        if found:
            drawn[scheme.name] = found
    return {"by_cohort": drawn} if drawn else {}


def weights(checkpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By training and watched column the weights of groups over their losses; of a run's ``checkpoints``.

    Where everybody weighs the same there is nothing to see, and nothing is drawn.
    """
    told = {key: dict(_weighed(about.get("log") or ())) for key, about in checkpoints.items()}
    return {key: drawn for key, drawn in told.items() if drawn}


def _weighed(log: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for column in dict.fromkeys(column for row in log for column in row.get("watched", {})):
        groups = [group for row in log for group in row.get("watched", {}).get(column, {}).values()]
        chart = verification.weights_and_losses(log, column)
        if chart is not None and len({group["weight"] for group in groups}) > 1:
            yield column, chart.to_dict()


def _schemes(folder: Path) -> list[Scheme]:
    """The schemes of at least two cohorts that divide a cell's speakers, those that a finder found first."""
    found = read_table(folder, "assignments").to_pylist()
    speakers = read_table(folder, "embeddings").select(["speaker", "metadata"]).to_pylist()
    names = dict.fromkeys(row["scheme"] for row in found)
    known = resolve([*names, AUTO], speakers, found) if speakers else []
    return [scheme for scheme in known if len(set(scheme.cohort_of.values())) > 1][:MAX_SCHEMES]


def _drawn(trials: CohortTrials) -> Iterator[tuple[str, Any]]:
    targets, others = trials.sides()
    if not (len(targets) and len(others)):
        return
    threshold = eer_threshold(targets, others)
    for name, draw in _PICTURES.items():
        chart = draw(trials, threshold)
        if chart is not None:
            yield name, chart.to_dict()
